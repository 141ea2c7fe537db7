/// The last selections of every layer, by time.
package struct SelectionHistory: Sendable {
  /// Tokens that are remembered: a policy learns from no more of a step.
  package static let tokenCount = 128
  /// How many of a token's best experts are.
  static let rankCount = 16

  /// (layer, time modulo the tokens, rank)
  private var experts: [UInt16]
  /// (layer, time modulo the tokens): experts there, and which time that is.
  private var counts: [Int16]
  private var times: [Int]
  /// (layer): its last time; -1 before the first.
  private(set) var lastTimes: [Int]

  init(layerCount: Int) {
    experts = [UInt16](repeating: 0, count: layerCount * Self.tokenCount * Self.rankCount)
    counts = [Int16](repeating: 0, count: layerCount * Self.tokenCount)
    times = [Int](repeating: -1, count: layerCount * Self.tokenCount)
    lastTimes = [Int](repeating: -1, count: layerCount)
  }

  /// Remembers a token's selection, best first, in place of one of the same time.
  mutating func add(_ selection: Span<Int>, layer: Int, time: Int) {
    let entry = layer * Self.tokenCount + time % Self.tokenCount
    let count = min(selection.count, Self.rankCount)
    for rank in 0..<count {
      experts[entry * Self.rankCount + rank] = UInt16(truncatingIfNeeded: selection[rank])
    }
    counts[entry] = Int16(count)
    times[entry] = time
    lastTimes[layer] = time
  }

  /// Where a selection is kept: its experts' places, for `expert(at:)`; empty where it is unknown.
  func places(layer: Int, time: Int) -> Range<Int> {
    guard time >= 0 else { return 0..<0 }
    let entry = layer * Self.tokenCount + time % Self.tokenCount
    guard times[entry] == time else { return 0..<0 }
    return entry * Self.rankCount..<entry * Self.rankCount + Int(counts[entry])
  }

  func expert(at place: Int) -> Int { Int(experts[place]) }
}
