import MoECore

/// A set of experts for each layer, as bits, so that going over a set does not go over the experts
/// that are not in it.
struct ExpertSets: Sendable {
  /// (layer): its first word, and one more entry for the end.
  private let starts: [Int]
  private var words: [UInt64]

  init(geometry: CacheGeometry) {
    starts = geometry.layers.reduce(into: [0]) { starts, layer in
      starts.append(starts[starts.count - 1] + (layer.expertCount + 63) / 64)
    }
    words = [UInt64](repeating: 0, count: starts[starts.count - 1])
  }

  mutating func insert(_ expert: ExpertID) {
    words[starts[expert.layer] + expert.index >> 6] |= 1 << UInt64(expert.index & 63)
  }

  mutating func remove(_ expert: ExpertID) {
    words[starts[expert.layer] + expert.index >> 6] &= ~(1 << UInt64(expert.index & 63))
  }

  /// Ascending.
  @inline(__always)
  func forEach(in layer: Int, _ body: (_ index: Int) -> Void) {
    for number in starts[layer]..<starts[layer + 1] {
      var word = words[number]
      while word != 0 {
        body((number - starts[layer]) << 6 + word.trailingZeroBitCount)
        word &= word - 1
      }
    }
  }
}
