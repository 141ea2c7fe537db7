import MoECore
import MoEFormats
import Testing

@Suite struct JSONReaderTests {
  private func tree(_ text: String) throws -> JSONTree { try JSONTree(Array(text.utf8)) }

  @Test func valuesAreRead() throws {
    let value = try tree(
      #" {"a": [1, -2.5e3, true, false, null], "#
        + #""b": {"c": "\u00e9\ud83d\ude42\n\"\\\/"}, "a2": []} "#
    )
    #expect(
      value["a"] == .array([.number(1), .number(-2500), .bool(true), .bool(false), .null]))
    #expect(value["b"]?["c"]?.string == "é🙂\n\"\\/")
    #expect(value["a2"]?.array == [] && value["x"] == nil)
    #expect(try JSONTree([0xEF, 0xBB, 0xBF] + Array("7".utf8)).integer == 7)
  }

  @Test(arguments: [
    "", "{", "[1", "[1 2]", "[,]", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{a:1}", "\"a", "\"\\q\"",
    "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\u{1}\"", "tru", "nul", "-", "1 2",
    "1e999",
    "+1x", "[1]]", String(repeating: "[", count: 100_000), String(repeating: "9", count: 400),
  ])
  func whatIsNotJSONIsRefused(text: String) throws {
    #expect(throws: JSONError.self) { try tree(text) }
  }

  @Test func textThatIsNotUTF8IsRefused() throws {
    #expect(throws: JSONError.self) { try JSONTree([0x22, 0xFF, 0x22]) }
  }
}
