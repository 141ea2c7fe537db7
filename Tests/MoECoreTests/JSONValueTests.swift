import Foundation
import MoECore
import Testing

@Suite struct JSONValueTests {
  private let value = JSONValue.object([
    "text": .string("a \"b\" \\ \n\t\u{1} Ä 日"),
    "list": .array([.integer(-1), .bool(true), .null]),
    "number": .number(0.1), "nothing": .number(.nan), "object": .object([:]),
  ])

  @Test func othersReadWhatIsWritten() throws {
    for text in [value.text, value.lines] {
      let read = try #require(
        try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      #expect(read["text"] as? String == "a \"b\" \\ \n\t\u{1} Ä 日")
      #expect((read["list"] as? [Any])?.count == 3)
      #expect(read["number"] as? Double == 0.1)
      #expect(read["nothing"] is NSNull)
    }
  }

  @Test func keysAreSortedAndNothingIsAdded() {
    let value = JSONValue.object(["b": .integer(2), "a": .array([.integer(1), .string("x/y")])])
    #expect(value.text == #"{"a":[1,"x/y"],"b":2}"#)
    #expect(JSONValue.integer(7).text == "7" && JSONValue.integer(7).lines == "7\n")
    #expect(value.lines.split(separator: "\n").count == 7 && value.lines.hasSuffix("}\n"))
  }

  @Test func whatWasWrittenIsReadAgain() throws {
    guard case .object(var members) = value else { return }
    for text in [value.text, value.lines] {
      var read = try #require(JSONValue.members(of: Array(text.utf8)))
      #expect(read.removeValue(forKey: "nothing") == .null)
      members["nothing"] = nil
      #expect(read == members)
    }
    for text in ["", "[]", "7", "{", "{\"a\":}", String(repeating: "[", count: 100_000)] {
      #expect(JSONValue.members(of: Array(text.utf8)) == nil)
    }
  }
}
