/// Estimates how soon experts will be used again.
package protocol ReuseEstimator: Sendable {
  /// What the delay of a use by one token costs, as a factor.
  var discount: Float { get }
  /// A layer's next token selects experts, best first.
  mutating func add(_ selection: Span<Int>, layer: Int, time: Int)
  /// For each expert of a layer E[discount^(d - 1)], where d is the number of tokens from the
  /// layer's last one to the expert's next use: 1 for certain use by the next token, 0 for none
  /// ever. Written to (expert ordinal) `estimates`, from `first` on.
  func write(layer: Int, to estimates: inout [Float], from first: Int)
  /// What the estimates of a model of some shape take; slots do not matter.
  static func byteCount(_ geometry: CacheGeometry) -> Int
}
