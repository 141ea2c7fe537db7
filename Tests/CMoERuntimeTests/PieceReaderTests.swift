import CMoERuntime
import CMoERuntimeInterface
import MoECore
import MoETemplates
import Testing

/// Answers as pieces for C.
@Suite struct PieceReaderTests {
  private static let tools = [OutputTool(name: "clock", parameters: nil)]
  private static let answer =
    "<think>What time?</think>Let me look.<tool_call>\n"
    + #"{"name": "clock", "arguments": {"zone": "UTC"}}"# + "\n</tool_call>"

  /// The pieces of a text that comes in parts of so many bytes, neighbours of one kind joined.
  private func pieces(_ text: String, partByteCount: Int) throws -> [Piece] {
    let parser = try OutputParser(styles: ["think", "hermes"], tools: Self.tools)
    var reader = PieceReader(parser)
    var all: [Piece] = []
    var rest = text[...]
    while !rest.isEmpty {
      let part = rest.prefix(partByteCount)
      all += reader.read(String(part))
      rest = rest.dropFirst(part.count)
    }
    all += reader.finish()
    var joined: [Piece] = []
    for piece in all {
      #expect(!piece.text.isEmpty)
      if let last = joined.last, last.kind == piece.kind, piece.kind != MOE_PIECE_TOOL_CALL {
        joined[joined.count - 1] = Piece(kind: last.kind, text: last.text + piece.text)
      } else {
        joined.append(piece)
      }
    }
    return joined
  }

  @Test(arguments: [1, 2, 7, 1000]) func tellsThinkingTextAndCallsApart(_ count: Int) throws {
    let pieces = try pieces(Self.answer, partByteCount: count)
    try #require(pieces.count == 3)
    #expect(pieces[0] == Piece(kind: MOE_PIECE_THINKING, text: "What time?"))
    #expect(pieces[1] == Piece(kind: MOE_PIECE_TEXT, text: "Let me look."))
    #expect(pieces[2].kind == MOE_PIECE_TOOL_CALL)
    let call = try JSON(text: pieces[2].text)
    #expect(call["name"] == .string("clock"))
    #expect(call["arguments"]?["zone"] == .string("UTC"))
  }

  @Test func saysWhatIsLeftOfACallThatDoesNotEnd() throws {
    let text = String(Self.answer.prefix(while: { $0 != "U" }))
    let pieces = try pieces(text, partByteCount: 3)
    let last = try #require(pieces.last)
    #expect(last.kind == MOE_PIECE_UNFINISHED_CALL)
    let call = try JSON(text: last.text)
    #expect(call["name"] == .string("clock"))
    #expect(call["arguments"]?.string?.contains("zone") == true)
  }

  @Test func aPlainTextIsItsPieces() {
    var reader = PieceReader(nil)
    #expect(reader.read("<think>") == [Piece(kind: MOE_PIECE_TEXT, text: "<think>")])
    #expect(reader.read("").isEmpty)
    #expect(reader.finish().isEmpty)
  }
}
