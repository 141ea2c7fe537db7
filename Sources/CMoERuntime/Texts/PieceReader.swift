import CMoERuntimeInterface
import MoECore
package import MoETemplates

/// Makes pieces of a model's text while it comes: of a conversation's answer, thinking and whole
/// calls told apart.
package struct PieceReader {
  /// Nil for a plain text.
  private var parser: OutputParser?
  private var call: (id: String?, name: String, arguments: String)?

  package init(_ parser: OutputParser?) { self.parser = parser }

  package mutating func read(_ text: String) -> [Piece] {
    if let events = parser?.consume(text) { return pieces(events) }
    return text.isEmpty ? [] : [Piece(kind: MOE_PIECE_TEXT, text: text)]
  }

  /// What was held back, at the end of the text.
  package mutating func finish() -> [Piece] { pieces(parser?.finish() ?? []) }

  private mutating func pieces(_ events: [OutputEvent]) -> [Piece] {
    var pieces: [Piece] = []
    for event in events {
      switch event {
      case .content(let text): pieces.append(Piece(kind: MOE_PIECE_TEXT, text: text))
      case .thinking(let text): pieces.append(Piece(kind: MOE_PIECE_THINKING, text: text))
      case .toolCallStarted(_, let id, let name): call = (id, name, "")
      case .toolCallArguments(_, let text): call?.arguments += text
      case .toolCallEnded:
        guard let call else { break }
        let arguments = (try? JSON(text: call.arguments)) ?? .string(call.arguments)
        pieces.append(piece(MOE_PIECE_TOOL_CALL, call.id, call.name, arguments))
        self.call = nil
      case .toolCallIncomplete(_, let unread):
        let arguments = JSON.string((call?.arguments ?? "") + unread)
        pieces.append(piece(MOE_PIECE_UNFINISHED_CALL, call?.id, call?.name, arguments))
        call = nil
      }
    }
    return pieces.filter { !$0.text.isEmpty }
  }

  private func piece(
    _ kind: moe_piece_kind, _ id: String?, _ name: String?, _ arguments: JSON
  ) -> Piece {
    let call = JSON.members([
      "id": id.map(JSON.string), "name": name.map(JSON.string), "arguments": arguments,
    ])
    return Piece(kind: kind, text: call.jsonText)
  }
}
