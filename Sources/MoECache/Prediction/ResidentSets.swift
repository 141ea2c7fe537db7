/// Which experts of each layer have slots, as bits, so that going over them does not go over those
/// that have none.
struct ResidentSets: Sendable {
  /// (layer): its first word, and one more entry for the end.
  private let starts: [Int]
  private var words: [UInt64]

  init(geometry: CacheGeometry) {
    starts = geometry.layers.reduce(into: [0]) { starts, layer in
      starts.append(starts[starts.count - 1] + (layer.expertCount + 63) / 64)
    }
    words = [UInt64](repeating: 0, count: starts[starts.count - 1])
  }

  mutating func insert(_ index: Int, layer: Int) {
    words[starts[layer] + index >> 6] |= 1 << UInt64(index & 63)
  }

  mutating func remove(_ index: Int, layer: Int) {
    words[starts[layer] + index >> 6] &= ~(1 << UInt64(index & 63))
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
