import MoECore
import MoEGrammar
import MoETestSupport
import Testing

/// Ranges of numbers, against arithmetic with whole thousandths.
@Suite struct NumberTests {
  /// A text of so many thousandths, with as many digits behind the point as asked.
  private func text(_ thousandths: Int, digitCount: Int) -> String {
    let sign = thousandths < 0 ? "-" : ""
    let magnitude = abs(thousandths)
    if digitCount == 0 { return "\(sign)\(magnitude / 1000)" }
    let digits = "\(1000 + magnitude % 1000)".dropFirst().prefix(digitCount)
    return "\(sign)\(magnitude / 1000).\(digits)"
  }

  private func accepted(_ keywords: [(String, String)], isWhole: Bool) throws -> CompiledGrammar? {
    var members = [JSONMember(name: "type", value: .string(isWhole ? "integer" : "number"))]
    members += keywords.map { JSONMember(name: $0.0, value: .number($0.1)) }
    return try? CompiledGrammar(
      Grammar(jsonSchema: .object(members)), vocabulary: byteVocabulary)
  }

  @Test func rangesAreExactFuzz() throws {
    for seed in Fuzz.seeds(300) {
      var generator = SeededGenerator(seed: seed)
      let scale = [1000, 20_000, 300_000].randomElement(using: &generator) ?? 1000
      let (low, high) = (
        Int.random(in: -scale...scale, using: &generator),
        Int.random(in: -scale...scale, using: &generator)
      )
      let (isLowIncluded, isHighIncluded) = (
        Bool.random(using: &generator), Bool.random(using: &generator)
      )
      let isWhole = Bool.random(using: &generator)
      let compiled = try accepted(
        [
          (isLowIncluded ? "minimum" : "exclusiveMinimum", text(low, digitCount: 3)),
          (isHighIncluded ? "maximum" : "exclusiveMaximum", text(high, digitCount: 3)),
        ], isWhole: isWhole)
      var places = [low - 1, low, low + 1, high - 1, high, high + 1, 0, low / 10, high * 10]
      places += (0..<40).map { _ in Int.random(in: -2 * scale...2 * scale, using: &generator) }
      places += places.map { $0 / 1000 * 1000 } + places.map { $0 / 100 * 100 }
      for place in places {
        let isInside =
          (isLowIncluded ? place >= low : place > low)
          && (isHighIncluded ? place <= high : place < high)
        for digitCount in isWhole ? [0] : [0, 1, 2, 3]
        where place % [1000, 100, 10, 1][digitCount] == 0 {
          let text = text(place, digitCount: digitCount)
          // Zero has a sign only where other negative numbers are.
          let found = try compiled?.accepts(text) ?? false
          #expect(found == isInside, "seed \(seed): \(text) in \(low) to \(high)")
        }
      }
    }
  }

  @Test(
    arguments: [
      ([("minimum", "1e2")], true, ["100", "101"], ["99", "1e2"]),
      ([("maximum", "-1.5E1")], true, ["-15", "-16"], ["-14", "0"]),
      (
        [("exclusiveMinimum", "0.1")], false, ["0.11", "0.2", "1"],
        ["0.1", "0.10", "0.10000000000000000001"]
      ),
      (
        [("minimum", "1e-3"), ("maximum", "1e-2")], false, ["0.001", "0.01", "0.0055"],
        ["0.0009", "0.0101"]
      ),
      (
        [("maximum", "123456789012345678901234567890")], true, ["123456789012345678901234567890"],
        ["123456789012345678901234567891"]
      ),
      ([("minimum", "0"), ("maximum", "0")], false, ["0", "0.0"], ["-0", "0.1", "1"]),
    ] as [([(String, String)], Bool, [String], [String])])
  func readsBoundsAsWritten(
    _ keywords: [(String, String)], _ isWhole: Bool, _ inside: [String], _ outside: [String]
  ) throws {
    let compiled = try #require(try accepted(keywords, isWhole: isWhole))
    for text in inside { #expect(try compiled.accepts(text), "\(text)") }
    for text in outside { #expect(try !compiled.accepts(text), "\(text)") }
  }
}
