import MoECore
import Testing

/// JSON is read as its grammar says, and kept as it was written.
@Suite struct JSONTests {
  @Test(arguments: [
    (#""a\n\t\"\\\/\b\f\r""#, "a\n\t\"\\/\u{8}\u{C}\r"), (#""\u00e9\ud83d\ude00""#, "é😀"),
    (#""\ud83d""#, "\u{FFFD}"), (#""\ud83dx""#, "\u{FFFD}x"), (#""\ude00""#, "\u{FFFD}"),
    (#""\ud83d\u0041""#, "\u{FFFD}A"),
  ])
  func readsEscapes(_ text: String, _ expected: String) throws {
    #expect(try JSON(text: text) == .string(expected))
  }

  @Test(arguments: [
    "", " ", "{", "[", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "01", "1.",
    ".5", "-", "+1", "1e", "1e+", "tru", "nul", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\n\"",
    "1 2", "[]]", "NaN", "Infinity", "'a'", "[1", "{\"a\":1", "\"\\u+123\"",
  ])
  func refusesWhatIsNotJSON(_ text: String) {
    #expect(throws: JSONError.self) { try JSON(text: text) }
  }

  @Test func nestingIsBounded() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try JSON(text: nested(JSON.nestingMax))
    #expect(throws: JSONError.self) { try JSON(text: nested(JSON.nestingMax + 1)) }
    #expect(throws: JSONError.self) { try JSON(text: nested(100_000)) }
  }

  @Test func writesWhatItRead() throws {
    let text = #"{"b":[1.50,-2e3,true,null],"a":"é\n\"\u0001"}"#
    #expect(try JSON(text: text).jsonText == text)
  }
}
