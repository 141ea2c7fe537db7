import MoEGrammar

/// Reads a grammar's expressions directly, with sets of positions, and knows nothing of nodes,
/// stacks or trees of tokens: the oracle of masks.
final class NaiveRecogniser {
  private let grammar: Grammar
  private let productive: [Bool]
  private var text: [UInt8] = []
  private var memory: [[Int]: Set<Int>] = [:]
  /// Whether something could have been read behind the text's end.
  private var readsOn = false

  init(_ grammar: Grammar) {
    self.grammar = grammar
    var productive = Array(repeating: false, count: grammar.rules.count)
    for _ in grammar.rules {
      for (index, rule) in grammar.rules.enumerated() {
        productive[index] = Self.hasText(rule.expression, productive)
      }
    }
    self.productive = productive
  }

  var hasText: Bool { productive[grammar.root] }

  /// Whether the text is one of the grammar's, and whether it begins a longer one.
  func judge(_ text: [UInt8]) -> (isComplete: Bool, goesOn: Bool) {
    self.text = text
    memory = [:]
    readsOn = false
    let ends = self.ends(.rule(grammar.root), 0)
    return (ends.contains(text.count), readsOn)
  }

  private static func hasText(_ expression: GrammarExpression, _ rules: [Bool]) -> Bool {
    switch expression {
    case .character(let set): !set.isEmpty
    case .literal: true
    case .sequence(let parts): parts.allSatisfy { hasText($0, rules) }
    case .choice(let parts): parts.contains { hasText($0, rules) }
    case .repetition(let part, let min, _): min == 0 || hasText(part, rules)
    case .rule(let number): rules[number]
    case .automaton(let automaton, _): !automaton.isEmpty
    }
  }

  /// Where the expression can end that begins at a position.
  private func ends(_ expression: GrammarExpression, _ start: Int) -> Set<Int> {
    guard Self.hasText(expression, productive) else { return [] }
    switch expression {
    case .character(let set): return characterEnds(set, start)
    case .literal(let bytes):
      for (index, byte) in bytes.enumerated() {
        guard start + index < text.count else {
          readsOn = true
          return []
        }
        if text[start + index] != byte { return [] }
      }
      return [start + bytes.count]
    case .sequence(let parts):
      var places: Set = [start]
      for part in parts { places = Set(places.flatMap { ends(part, $0) }) }
      return places
    case .choice(let parts): return Set(parts.flatMap { ends($0, start) })
    case .repetition(let part, let min, let max): return repetitionEnds(part, min, max, start)
    case .rule(let number):
      if let known = memory[[number, start]] { return known }
      // A rule that calls itself first and is usable all the same is never anything but empty.
      memory[[number, start]] = []
      let found = ends(grammar.rules[number].expression, start)
      memory[[number, start]] = found
      return found
    case .automaton: preconditionFailure("not in grammars made for this oracle")
    }
  }

  private func repetitionEnds(
    _ part: GrammarExpression, _ min: Int, _ max: Int?, _ start: Int
  ) -> Set<Int> {
    var result: Set<Int> = min == 0 ? [start] : []
    var places: Set = [start]
    var count = 0
    while count < max ?? .max && !places.isEmpty {
      places = Set(places.flatMap { ends(part, $0) })
      count += 1
      if count >= min {
        if places.isSubset(of: result) { break }
        result.formUnion(places)
      }
    }
    return result
  }

  private func characterEnds(_ set: ScalarSet, _ start: Int) -> Set<Int> {
    guard start < text.count else {
      readsOn = true
      return []
    }
    let lead = text[start]
    let length =
      lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 0
    if length == 0 { return [] }
    let available = Array(text[start..<min(start + length, text.count)])
    if available.count < length {
      if Self.begins(available, length: length, set) { readsOn = true }
      return []
    }
    let decoded = Array(String(decoding: available, as: UTF8.self).unicodeScalars)
    guard decoded.count == 1, Array(String(decoded[0]).utf8) == available else { return [] }
    return set.contains(decoded[0].value) ? [start + length] : []
  }

  /// Whether a character of the set, of so many bytes, begins with these.
  private static func begins(_ bytes: [UInt8], length: Int, _ set: ScalarSet) -> Bool {
    guard bytes.dropFirst().allSatisfy({ $0 & 0xC0 == 0x80 }) else { return false }
    var low = UInt32(bytes[0]) & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07)
    for byte in bytes.dropFirst() { low = low << 6 | UInt32(byte & 0x3F) }
    var high = low
    for _ in bytes.count..<length { (low, high) = (low << 6, high << 6 | 0x3F) }
    let valid: ClosedRange<UInt32> =
      length == 2 ? 0x80...0x7FF : length == 3 ? 0x800...0xFFFF : 0x10000...0x10FFFF
    guard (low...high).overlaps(valid) else { return false }
    let wanted = (low...high).clamped(to: valid)
    return set.ranges.contains { $0.overlaps(wanted) }
  }
}
