package import CMoERuntimeInterface

/// A piece of a text, before C has it. Never empty.
package struct Piece: Equatable {
  package let kind: moe_piece_kind
  package let text: String

  package init(kind: moe_piece_kind, text: String) {
    self.kind = kind
    self.text = text
  }

  package static func == (left: Piece, right: Piece) -> Bool {
    left.kind.rawValue == right.kind.rawValue && left.text == right.text
  }
}

/// The memory in which C sees a piece, until the next one is there.
@safe final class PieceMemory {
  private let piece: UnsafeMutablePointer<moe_piece>
  private var bytes: UnsafeMutableBufferPointer<CChar>

  init() {
    unsafe bytes = .allocate(capacity: 0)
    unsafe piece = .allocate(capacity: 1)
    unsafe piece.initialize(to: moe_piece(kind: MOE_PIECE_TEXT, text: nil, length: 0))
  }

  deinit {
    unsafe piece.deallocate()
    unsafe bytes.deallocate()
  }

  func hold(_ value: Piece) -> UnsafePointer<moe_piece> {
    unsafe bytes.deallocate()
    let text = value.text.utf8CString
    unsafe bytes = .allocate(capacity: text.count)
    _ = unsafe bytes.initialize(fromContentsOf: text)
    unsafe piece.pointee = moe_piece(
      kind: value.kind, text: UnsafePointer(bytes.baseAddress), length: text.count - 1)
    return unsafe UnsafePointer(piece)
  }
}
