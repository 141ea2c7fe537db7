import Foundation
import MoECore
import MoETemplates
import Testing

/// Templates mean what they mean to jinja2: every operator, filter, test, method and statement that
/// is implemented, and what jinja2 refuses is refused.
@Suite struct JinjaTests {
  @Test(arguments: JinjaCase.groups.map(\.name))
  func rendersAsJinja(_ group: String) throws {
    let cases = try #require(JinjaCase.groups.first { $0.name == group }).cases
    #expect(cases.count > 20)
    var variables: [String: TemplateVariable] = [:]
    for member in try JSON(text: JinjaCase.variables).members ?? [] {
      variables[member.name] = .untrusted(member.value)
    }
    for element in cases {
      let result = Result { try rendered(element.template, variables) }
      switch (result, element.expected) {
      case (.success(let text), let expected?): #expect(text == expected, "\(element.template)")
      case (.failure(let error), nil): #expect(error is TemplateError, "\(element.template)")
      default: Issue.record("\(element): \(result)")
      }
    }
  }

  @Test func splitsLikeANaiveSplit() throws {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<200 {
      let text = String.random(of: "ab", count: 0...24, &generator)
      let separator = String.random(of: "ab", count: 1...4, &generator)
      let variables: [String: TemplateVariable] = [
        "text": .untrusted(.string(text)), "separator": .untrusted(.string(separator)),
      ]
      let parts = text.components(separatedBy: separator)
      let template = """
        {{ text.split(separator) | join('|') }} {{ text.replace(separator, '-') }} \
        {{ text.count(separator) }} {{ text.find(separator) }} {{ separator in text }}
        """
      let place = text.range(of: separator).map {
        text.distance(from: text.startIndex, to: $0.lowerBound)
      }
      let expected =
        "\(parts.joined(separator: "|")) \(parts.joined(separator: "-")) "
        + "\(parts.count - 1) \(place ?? -1) \(place == nil ? "False" : "True")"
      #expect(try rendered(template, variables) == expected, "\(text), \(separator)")
    }
  }

  @Test func printsFloatsSoThatTheyReadBack() throws {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<500 {
      let number = Double(bitPattern: generator.next())
      guard number.isFinite else { continue }
      let text = try rendered("{{ x }}", ["x": .untrusted(.number("\(number)"))])
      #expect(Double(text) == number, "\(number)")
    }
  }

  @Test func errorsNameTheLine() throws {
    let late = "{% if true %}\n\n{{ nope.a }}\n{% endif %}"
    #expect(throws: TemplateError.self) { try rendered(late) }
    do {
      _ = try rendered(late)
    } catch let error as TemplateError {
      #expect(error.line == 3)
      #expect(error.reason == .wrongValue)
      #expect(
        error.description
          == "line 3 of the chat template: 'nope' is undefined, so it has no 'a'")
    }
    for (template, reason, part) in [
      ("\n{% include 'a' %}", TemplateError.Reason.unsupported, "'include'"),
      ("\n{{ 1 | nofilter }}", .unsupported, "'nofilter'"),
      ("\n{{ 1 is notest }}", .unsupported, "'notest'"),
      ("\n{{ 'a'.encode() }}", .unsupported, "'encode'"),
      ("\n{{ raise_exception('Not so.') }}", .raised, "Not so."),
      ("{# a\n#}{% for %}", .syntax, "'%}'"),
      ("{{ 1 }}\n{% if 1 %}", .syntax, "'if'"),
    ] {
      let error = #expect(throws: TemplateError.self, "\(template)") { try rendered(template) }
      #expect(error?.line == 2 && error?.reason == reason, "\(template)")
      #expect(error?.problem.contains(part) ?? false, "\(template)")
    }
  }
}

/// What a template without messages writes.
func rendered(
  _ template: String, _ variables: [String: TemplateVariable] = [:],
  limits: TemplateLimits = TemplateLimits()
) throws -> String {
  try segments(template, variables, limits: limits).map(\.string).joined()
}

func segments(
  _ template: String, _ variables: [String: TemplateVariable] = [:],
  limits: TemplateLimits = TemplateLimits()
) throws -> [TemplateSegment] {
  try ChatTemplate(source: template, limits: limits).render(
    messages: [], addsGenerationPrompt: false, variables: variables,
    now: try Date("2025-01-31T12:00:00Z", strategy: .iso8601),
    timeZone: try #require(TimeZone(identifier: "UTC")))
}

extension String {
  static func random(
    of letters: String, count: ClosedRange<Int>, _ generator: inout SeededGenerator
  ) -> String {
    let letters = Array(letters)
    return String(
      (0..<Int.random(in: count, using: &generator)).map { _ in
        letters[Int.random(in: letters.indices, using: &generator)]
      })
  }
}
