import MoECore
import Testing

/// JSON is read as its grammar says, and kept as it was written.
@Suite struct JSONTests {
  @Test func keepsOrderAndNumbers() throws {
    let value = try JSON(
      text: #" {"b": 1.50, "a": [true, null, "\u00e9\ud83d\ude42\n"]} "#)
    #expect(
      value
        == .object([
          JSONMember(name: "b", value: .number("1.50")),
          JSONMember(name: "a", value: .array([.bool(true), .null, .string("é🙂\n")])),
        ]))
  }

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
    "{1:2}", "\"\\u12g4\"", "1 2", "[]]", "NaN", "Infinity", "'a'", "[1", "{\"a\":1", "\"\\u+123\"",
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

  @Test func comparesByMeaning() throws {
    let left = try JSON(text: #"{"a": 1, "b": [1e1]}"#)
    let same = try JSON(text: #"{"b": [10.0], "a": 1.0}"#)
    let other = try JSON(text: #"{"b": [10.0], "a": "1"}"#)
    let shorter = try JSON(text: #"{"b": [10.0]}"#)
    #expect(left.isSame(as: same))
    #expect(!left.isSame(as: other))
    #expect(!left.isSame(as: shorter))
  }
}
