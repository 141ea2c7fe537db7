import Foundation
import MoECore
import MoETemplates
import MoETestSupport
import Testing

/// Damaged templates throw or render; they never trap, and they end.
@Suite struct TemplateFuzzTests {
  private static let pieces = [
    "{{", "}}", "{%", "%}", "{%-", "-%}", "{#", "#}", "(", ")", "[", "]", "{", "}", "'", "\"", "|",
    ".", ",", "~", "+", "-", "*", "**", "//", "%", "==", " if ", " else ", " in ", " not ", " is ",
    "{% for m in messages %}", "{% endfor %}", "{% if tools %}", "{% endif %}", "{% set x = ", ":",
    "{% macro m(a) %}", "{% endmacro %}", "messages", "loop.index", "| tojson", "|length", "[::-1]",
    "9223372036854775807", "-1", "1e308", "none", "\n", "\\", "é", "range(9)", "namespace()", "*99",
  ]

  private func mutated(_ source: String, _ generator: inout SeededGenerator) -> String {
    var scalars = Array(source.unicodeScalars)
    for _ in 0..<Int.random(in: 1...6, using: &generator) {
      let place = Int.random(in: 0...scalars.count, using: &generator)
      let end = min(place + Int.random(in: 0...12, using: &generator), scalars.count)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: scalars.removeSubrange(place..<end)
      case 1: scalars.insert(contentsOf: scalars[place..<end], at: place)
      case 2:
        let other = Int.random(in: 0...scalars.count, using: &generator)
        let part = scalars[other..<min(other + 30, scalars.count)]
        scalars.replaceSubrange(place..<end, with: Array(part))
      default:
        let piece = Self.pieces.randomElement(using: &generator) ?? ""
        scalars.replaceSubrange(place..<end, with: Array(piece.unicodeScalars))
      }
    }
    return String(String.UnicodeScalarView(scalars))
  }

  @Test func damagedTemplatesNeverTrap() throws {
    let goldens = try TemplateGoldens.load()
    var limits = TemplateLimits()
    limits.stepCountMax = 20_000
    limits.letterCountMax = 1 << 20
    let conversations = goldens.conversations.sorted { $0.key < $1.key }.map(\.value)
    var (readCount, renderedCount) = (0, 0)
    // An iteration takes as long as twenty of other fuzz tests.
    let count = Fuzz.iterationCount(12_000) / 20
    for round in 0..<count {
      let seed = Fuzz.firstSeed &+ UInt64(round)
      var generator = SeededGenerator(seed: seed)
      let family = goldens.families[round % goldens.families.count]
      let source = mutated(family.source, &generator)
      let conversation = try #require(conversations.randomElement(using: &generator))
      do throws(TemplateError) {
        let template = try ChatTemplate(source: source, limits: limits)
        readCount += 1
        _ = try template.render(
          messages: conversation.messages, tools: conversation.tools, addsGenerationPrompt: true,
          variables: family.variables, now: goldens.date)
        renderedCount += 1
      } catch {
        #expect(!error.problem.isEmpty || error.reason == .raised, "seed \(seed)")
      }
    }
    // Some of the damage must be survivable, or only the lexer is tested.
    #expect(
      readCount > count / 10 && renderedCount > count / 30,
      "\(readCount) read, \(renderedCount) rendered")
  }

  @Test func randomPiecesNeverTrap() {
    var generator = SeededGenerator(seed: 3)
    var limits = TemplateLimits()
    limits.stepCountMax = 20_000
    limits.letterCountMax = 1 << 20
    let bounds = limits
    for _ in 0..<4000 {
      let count = Int.random(in: 1...12, using: &generator)
      let body = (0..<count).compactMap { _ in Self.pieces.randomElement(using: &generator) }
      for source in [body.joined(), "{{ " + body.joined(separator: " ") + " }}"] {
        do {
          _ = try rendered(source, limits: bounds)
        } catch {
          #expect(error is TemplateError)
        }
      }
    }
  }
}
