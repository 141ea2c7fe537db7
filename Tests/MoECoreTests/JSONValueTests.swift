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

  @Test func keysAreSortedAndMembersHaveLinesOfTheirOwn() {
    let value = JSONValue.object(["b": .integer(2), "a": .array([.integer(1), .string("x")])])
    #expect(value.text == #"{"a": [1, "x"], "b": 2}"#)
    #expect(value.lines == "{\n  \"a\": [1, \"x\"],\n  \"b\": 2\n}\n")
    #expect(JSONValue.integer(7).lines == "7\n")
  }
}
