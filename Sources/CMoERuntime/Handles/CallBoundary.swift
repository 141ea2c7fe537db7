import CMoERuntimeInterface

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Where a call leaves a text that is the caller's from then on: a result, or what is wrong.
public typealias TextSlot = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// Runs what a call does, and turns its failure into a code and a sentence.
func answer(
  _ message: TextSlot?, _ body: () throws(CallFailure) -> moe_status
) -> moe_status {
  if let message = unsafe message { unsafe message.pointee = nil }
  do {
    return try body()
  } catch {
    if let message = unsafe message { unsafe message.pointee = copied(error.sentence) }
    return error.status
  }
}

/// The text as C owns it, freed by `free`. Up to the first NUL, which no text of ours has.
func copied(_ text: String) -> UnsafeMutablePointer<CChar>? { unsafe strdup(text) }

/// Frees a text that `copied` made.
func release(_ text: UnsafeMutablePointer<CChar>?) { unsafe free(text) }

/// The place for a result, which is NULL until there is one.
func place<Value>(
  _ slot: UnsafeMutablePointer<Value?>?, _ name: String
) throws(CallFailure) -> UnsafeMutablePointer<Value?> {
  guard let slot = unsafe slot else {
    throw .argument("\(name) is NULL; give the address of a pointer for the result")
  }
  unsafe slot.pointee = nil
  return unsafe slot
}

/// A text that C gave.
func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws(CallFailure) -> String {
  guard let pointer = unsafe pointer else { throw .argument("\(name) is NULL; give a text") }
  guard let text = unsafe String(validatingCString: pointer) else {
    throw .argument("\(name) is not valid UTF-8; give it in UTF-8")
  }
  return text
}
