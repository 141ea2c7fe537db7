import MoECore
import Foundation
import MoETemplates
import Testing

/// Every rendering of the shared templates is transformers' own, byte for byte.
@Suite struct GoldenTemplateTests {
  /// Where jinja2's sandbox refuses what we allow: a list of the template's own is appended to.
  private static let allowedHere = "access to attribute 'append' of 'list' object is unsafe"

  @Test func rendersEveryConversationAsTransformers() throws {
    let goldens = try TemplateGoldens.load()
    #expect(goldens.families.count >= 21)
    let zone = try #require(TimeZone(identifier: "UTC"))
    var renderedCount = 0
    for family in goldens.families {
      let template = try ChatTemplate(source: family.source)
      for (label, expected) in family.rendered.map({ ($0.name, $0.value) }) {
        let name = label.replacing("+prompt", with: "")
        let conversation = try #require(goldens.conversations[name])
        let result = Result {
          try template.render(
            messages: conversation.messages, tools: conversation.tools,
            addsGenerationPrompt: label != name, variables: family.variables,
            now: goldens.date, timeZone: zone
          ).map(\.string).joined()
        }
        if let text = expected["text"]?.string {
          let rendered = try? result.get()
          #expect(rendered == text, "\(family.name), \(label): \(result)")
          renderedCount += rendered == text ? 1 : 0
        } else if expected["error"]?.string?.contains(Self.allowedHere) ?? false {
          #expect(throws: Never.self, "\(family.name), \(label)") { try result.get() }
        } else {
          #expect(throws: TemplateError.self, "\(family.name), \(label)") { try result.get() }
        }
      }
    }
    print("\(renderedCount) renderings are equal")
    #expect(renderedCount >= 300)
  }
}
