import MoECore
import MoEGrammar
import MoETestSupport
import Testing

/// Regular expressions in schemas, against Python's `re`.
@Suite struct PatternTests {
  private static let atoms = [
    "a", "b", "1", "_", ".", "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "[ab]", "[^a]", "[a-b1-3]",
    "[^\\d]", "[\\w-]", "[^\\s\\w]", "\\.", "\\x61", "\\u0062", "^", "$", " ", "\\t", "(?:ab|1)",
  ]
  private static let repetitions = ["", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?"]

  private func pattern(_ generator: inout SeededGenerator, depth: Int) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      switch Int.random(in: 0..<8, using: &generator) {
      case 0 where depth > 0:
        let inner = pattern(&generator, depth: depth - 1)
        text += "(\(inner))" + (Self.repetitions.randomElement(using: &generator) ?? "")
      case 1 where depth > 0:
        text += pattern(&generator, depth: depth - 1) + "|" + pattern(&generator, depth: depth - 1)
      default:
        let atom = Self.atoms.randomElement(using: &generator) ?? "a"
        let isPosition = atom == "^" || atom == "$"
        text += atom + (isPosition ? "" : Self.repetitions.randomElement(using: &generator) ?? "")
      }
    }
    return text
  }

  private func schema(_ pattern: String) -> JSON {
    .object([
      JSONMember(name: "type", value: .string("string")),
      JSONMember(name: "pattern", value: .string(pattern)),
    ])
  }

  @Test(PythonOracle.needed) func findsWhatPythonFindsFuzz() throws {
    var cases: [PythonOracle.Case] = []
    for seed in Fuzz.seeds(400) {
      var generator = SeededGenerator(seed: seed)
      let pattern = pattern(&generator, depth: 2)
      let compiled: CompiledGrammar
      do throws(GrammarError) {
        compiled = try CompiledGrammar(
          Grammar(jsonSchema: schema(pattern)), vocabulary: byteVocabulary)
      } catch {
        // Some expressions are found in no text, and a few are too much work.
        #expect(error.reason == .impossible || error.reason == .limit, "\(pattern): \(error)")
        continue
      }
      for _ in 0..<12 {
        let length = Int.random(in: 0...5, using: &generator)
        let text = String(
          (0..<length).map { _ in "aab1_ .-\t".randomElement(using: &generator) ?? "a" })
        let isAccepted = try compiled.accepts(JSON.string(text).jsonText)
        cases.append(.init(pattern: pattern, text: text, isValid: isAccepted, "seed \(seed)"))
      }
      // Where engines may disagree, what is written is found by Python all the same.
      for text in ["é", "aé", "a\n", "\n", "٣", "\u{1C}", "\u{A0}", "b\r", "\u{2028}", "日1"]
      where try compiled.accepts(JSON.string(text).jsonText) {
        cases.append(.init(pattern: pattern, text: text, isValid: true, "seed \(seed)"))
      }
    }
    #expect(cases.count { $0.isValid } > cases.count / 10)
    try PythonOracle.check(cases)
  }

  /// ECMA-262 names groups as Python doesn't.
  @Test func readsNamedGroups() throws {
    let grammar = try Grammar(jsonSchema: schema("^(?<year>\\d{2})$"))
    #expect(try grammar.accepts("\"24\""))
    #expect(try !grammar.accepts("\"2\""))
  }

  /// A text of a pattern is never longer or shorter than asked, whatever the pattern.
  @Test(arguments: ["^[ab]*$", "^(ab|c)+$", "a", "^a{2,9}$", "^.*$"])
  func keepsLengths(_ pattern: String) throws {
    for least in 0...3 {
      for most in least...5 {
        let schema = JSON.object([
          JSONMember(name: "type", value: .string("string")),
          JSONMember(name: "pattern", value: .string(pattern)),
          JSONMember(name: "minLength", value: .integer(least)),
          JSONMember(name: "maxLength", value: .integer(most)),
        ])
        let free = try CompiledGrammar(
          Grammar(jsonSchema: self.schema(pattern)), vocabulary: byteVocabulary)
        guard
          let bounded = try? CompiledGrammar(
            Grammar(jsonSchema: schema), vocabulary: byteVocabulary)
        else { continue }
        for text in [
          "", "a", "ab", "abc", "aaa", "cab", "abab", "aaaaa", "ababc", "aaaaaa", "bbbbbb",
        ] {
          let isWanted = try free.accepts("\"\(text)\"") && (least...most).contains(text.count)
          #expect(try bounded.accepts("\"\(text)\"") == isWanted, "\(least) to \(most): \(text)")
        }
      }
    }
  }
}
