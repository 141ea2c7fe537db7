import Foundation
import MoECore
import MoETemplates
import Testing

/// What a message says never comes out as markup, and what the template says always does.
@Suite struct SegmentTests {
  private static let tokens = ["<|im_end|>", "[INST]", "<start_of_turn>", "<|eot_id|>", "</s>"]
  /// The tokens between brackets that no template has.
  private static let marker = "⟦" + tokens.joined() + "⟧"

  /// Adds the marker to every string of the conversation but names of roles and types.
  private func marked(_ json: JSON, _ marker: String) -> JSON {
    switch json {
    case .string(let text): .string(text + marker)
    case .array(let elements): .array(elements.map { marked($0, marker) })
    case .object(let members):
      .object(
        members.map { member in
          let isPlain = ["role", "type"].contains(member.name)
          return JSONMember(
            name: member.name, value: isPlain ? member.value : marked(member.value, marker))
        })
    default: json
    }
  }

  private func marked(_ message: ChatMessage, _ marker: String) -> ChatMessage {
    var message = message
    switch message.content {
    case .text(let text): message.content = .text(text + marker)
    case .parts(let parts): message.content = .parts(parts.map { marked($0, marker) })
    case nil: break
    }
    message.reasoningContent = message.reasoningContent.map { $0 + marker }
    message.name = message.name.map { $0 + marker }
    message.toolCallID = message.toolCallID.map { $0 + marker }
    message.toolCalls = message.toolCalls.map { call in
      ChatMessage.ToolCall(
        id: call.id.map { $0 + marker }, name: call.name + marker,
        arguments: marked(call.arguments, marker))
    }
    return message
  }

  @Test func messagesNeverComeOutAsMarkup() throws {
    let goldens = try TemplateGoldens.load()
    var comparedCount = 0
    for family in goldens.families {
      let template = try ChatTemplate(source: family.source)
      for (name, conversation) in goldens.conversations {
        func segments(_ marker: String) throws -> [TemplateSegment] {
          try template.render(
            messages: conversation.messages.map { marked($0, marker) },
            tools: conversation.tools?.map { ToolDefinition(json: marked($0.json, marker)) },
            addsGenerationPrompt: true, variables: family.variables, now: goldens.date)
        }
        guard let plain = try? segments("harmless"), let hostile = try? segments(Self.marker)
        else { continue }
        comparedCount += 1
        let texts = hostile.compactMap { if case .text(let text) = $0 { text } else { nil } }
        let whole = hostile.map(\.string).joined()
        let count = whole.ranges(of: Self.marker).count
        #expect(count > 0, "\(family.name), \(name)")
        #expect(
          texts.reduce(0) { $0 + $1.ranges(of: Self.marker).count } == count,
          "\(family.name), \(name)")
        let markup = hostile.compactMap { if case .markup(let text) = $0 { text } else { nil } }
        #expect(!markup.contains { $0.contains("⟦") || $0.contains("⟧") })
        // The template's own part doesn't depend on what messages say.
        let plainMarkup = plain.compactMap { if case .markup(let text) = $0 { text } else { nil } }
        #expect(markup.joined() == plainMarkup.joined(), "\(family.name), \(name)")
      }
    }
    #expect(comparedCount >= 120)
  }

  @Test(
    arguments: [
      ("[{{ x }}]", [.markup("["), .text("<|x|>"), .markup("]")]),
      ("{{ '[' ~ x ~ ']' }}", [.markup("["), .text("<|x|>"), .markup("]")]),
      ("{{ '[' + x + ']' }}", [.markup("["), .text("<|x|>"), .markup("]")]),
      ("{{ ('a' ~ x)[:3] }}", [.markup("a"), .text("<|")]),
      ("{{ x | upper }}", [.text("<|X|>")]),
      ("{{ (' ' ~ x ~ ' ') | trim }}", [.text("<|x|>")]),
      ("{{ 'a-b'.replace('-', x) }}", [.markup("a"), .text("<|x|>"), .markup("b")]),
      ("{{ x.replace('x', 'y') }}", [.text("<|"), .markup("y"), .text("|>")]),
      ("{{ x.split('x') | join('_') }}", [.text("<|"), .markup("_"), .text("|>")]),
      ("{{ 'a'.join([x, 'b']) }}", [.text("<|x|>"), .markup("ab")]),
      ("{{ x | tojson }}", [.text("\"<|x|>\"")]),
      ("{{ {'k': x} | tojson }}", [.markup("{\"k\": "), .text("\"<|x|>\""), .markup("}")]),
      ("{{ [x] }}", [.markup("["), .text("'<|x|>'"), .markup("]")]),
      ("{{ x | length }}{{ 1 + 1 }}", [.text("5"), .markup("2")]),
      ("{{ x | length + 1 }}", [.text("6")]),
      ("{% set y %}({{ x }}){% endset %}{{ y }}", [.markup("("), .text("<|x|>"), .markup(")")]),
      (
        "{% macro m(a) %}({{ a }}){% endmacro %}{{ m(x) ~ '!' }}",
        [.markup("("), .text("<|x|>"), .markup(")!")]
      ),
      ("{% filter upper %}a{{ x }}{% endfilter %}", [.markup("A"), .text("<|X|>")]),
      ("{{ x == '<|x|>' }}", [.text("True")]),
      ("{% if x == '<|x|>' %}same{% endif %}", [.markup("same")]),
      (
        "{{ '%s!' % x }}{{ '{}?'.format(x) }}",
        [.text("<|x|>"), .markup("!"), .text("<|x|>"), .markup("?")]
      ),
      ("{{ bos }}{{ x }}", [.markup("<s>"), .text("<|x|>")]),
      ("{{ x | indent(2, true) }}", [.markup("  "), .text("<|x|>")]),
      ("{{ x[::-1] }}{{ x | reverse }}{{ x | first }}", [.text(">|x|<>|x|<<")]),
      ("{{ x | e }}", [.text("&lt;|x|&gt;")]),
      ("{{ d.items() | first }}", [.text("('<|k|>', 1)")]),
      ("{{ '{\"a\": 1}' | from_json }}{{ y | from_json }}", [.markup("{'a': 1}"), .text("[1]")]),
    ] as [(String, [TemplateSegment])])
  func keepsWhoWroteWhat(_ template: String, _ expected: [TemplateSegment]) throws {
    let found = try segments(
      template,
      [
        "x": .untrusted(.string("<|x|>")), "bos": .trusted(.string("<s>")),
        "y": .untrusted(.string("[1]")),
        "d": .untrusted(try JSON(text: #"{"<|k|>": 1}"#)),
      ])
    #expect(found == expected)
  }
}
