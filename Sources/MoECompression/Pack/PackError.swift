package import MoEFormats
package import MoEModel
import MoEPlatform
package import MoEStore

/// Why a model's experts could not be packed: one sentence that says what is wrong, where, and what
/// to do.
package enum PackError: Error, CustomStringConvertible {
  case format(FormatError)
  case model(ModelError)
  case bundle(BundleError)
  case store(StoreError)
  case outOfMemory(String)
  /// Parts that are not stored as products read them.
  case converted(path: String, tensor: String)
  case noExperts(path: String)
  /// A copy in fewer bits could not be made.
  case quantization(String)
  case noSuchLayers(wanted: ClosedRange<Int>, lastLayer: Int)
  case memoryTooSmall(wanted: Int, given: Int)
  /// The caller wanted it to end; what was done stays for the next time.
  case cancelled(partialPath: String)

  package var description: String {
    switch self {
    case .format(let error): error.description
    case .model(let error): error.description
    case .bundle(let error): error.description
    case .store(let error): error.description
    case .outOfMemory(let text), .quantization(let text): text
    case .converted(let path, let tensor):
      "\(path): tensor \(tensor) is in a form that is converted when it is read, which bundles do "
        + "not keep; pack a GGUF file of the model"
    case .noExperts(let path):
      "\(path): has no routed experts; only those are packed"
    case .noSuchLayers(let wanted, let last):
      "layers \(wanted.lowerBound) to \(wanted.upperBound) have no experts; give layers from 0 to "
        + "\(last)"
    case .memoryTooSmall(let wanted, let given):
      "packing this model takes \(wanted >> 20) MiB of memory, but only \(given >> 20) are given; "
        + "give at least \((wanted >> 20) + 1)M"
    case .cancelled(let path):
      "interrupted; what is done is in \(path), and the same command goes on from there"
    }
  }

  init(_ error: FileError) { self = .bundle(.file(error)) }
}
