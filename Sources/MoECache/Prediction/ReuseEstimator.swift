/// Estimates how soon experts will be used again.
package protocol ReuseEstimator: Sendable {
  /// What the delay of a use by one token costs, as a factor.
  var discount: Float { get }
  /// A text begins under the number of a sequence.
  mutating func beginSequence(_ sequence: Int)
  /// The text under the number of a sequence is over.
  mutating func endSequence(_ sequence: Int)
  /// A layer's next token selects experts, best first; `time` is as of `KnownRun`.
  mutating func add(_ selection: Span<Int>, layer: Int, sequence: Int, time: Int)
  /// For each expert of a layer E[discount^(d - 1)], where d is the number of steps from the
  /// layer's last one to the expert's next use by any sequence: 1 for certain use by the next step,
  /// 0 for none ever. Written to (expert ordinal) `estimates`, from `first` on, once in each step
  /// of the layer, after its tokens were added.
  mutating func write(layer: Int, to estimates: inout [Float], from first: Int)
  /// What the estimates of a model of some shape take; slots do not matter.
  static func byteCount(_ geometry: CacheGeometry) -> Int
}

extension ReuseEstimator {
  package mutating func beginSequence(_ sequence: Int) {}

  package mutating func endSequence(_ sequence: Int) {}
}
