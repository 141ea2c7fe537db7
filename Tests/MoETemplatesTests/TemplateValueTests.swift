import MoECore
import MoETemplates
import Testing

/// JSON values reach templates as they were written.
@Suite struct TemplateValueTests {
  @Test func keepsOrderAndNumbers() throws {
    let value = try JSON(text: #" {"b": 1, "a": 1.0, "c": [-0.5e3, true, null, "x"]} "#)
    #expect(value.members?.map(\.name) == ["b", "a", "c"])
    #expect(value["b"] == .number("1") && value["a"] == .number("1.0"))
    #expect(value["c"] == .array([.number("-0.5e3"), .bool(true), .null, .string("x")]))
    #expect(value["d"] == nil)
    let text = try rendered("{{ x }} {{ x | tojson }}", ["x": .untrusted(value)])
    #expect(
      text == "{'b': 1, 'a': 1.0, 'c': [-500.0, True, None, 'x']} "
        + #"{"b": 1, "a": 1.0, "c": [-500.0, true, null, "x"]}"#)
  }

  @Test func printsIntegersBeyond64Bits() throws {
    let big = "123456789012345678901234567890"
    let variables: [String: TemplateVariable] = ["x": .untrusted(.number(big))]
    #expect(
      try rendered("{{ x }}{{ x | tojson }}{{ x is integer }}", variables) == big + big + "True")
    #expect(throws: TemplateError.self) { try rendered("{{ x + 1 }}", variables) }
  }

  @Test func lastOfEqualNamesCountsAtTheFirstPlace() throws {
    let value = try JSON(text: #"{"a": 1, "b": 2, "a": 3}"#)
    #expect(value["a"] == .number("3"))
    #expect(try rendered("{{ x }}", ["x": .untrusted(value)]) == "{'a': 3, 'b': 2}")
  }

  @Test func showsMessagesAsTransformersDoes() throws {
    let message = ChatMessage(
      role: "assistant", reasoningContent: "r",
      toolCalls: [.init(id: "1", name: "f", arguments: .object([]))],
      otherMembers: [
        JSONMember(name: "x", value: .null),
        JSONMember(name: "y", value: .bool(true)),
      ])
    let template = """
      {% for m in messages %}{{ m | tojson }}{{ m.content is defined }}{% endfor %}
      """
    let text = try ChatTemplate(source: template).render(
      messages: [message], addsGenerationPrompt: false
    ).map(\.string).joined()
    #expect(
      text == #"{"thinking": "r", "role": "assistant", "reasoning_content": "r", "tool_calls": "#
        + #"[{"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}], "#
        + #""y": true}False"#)
  }
}
