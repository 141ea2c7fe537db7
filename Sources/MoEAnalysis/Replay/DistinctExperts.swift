#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// How many different experts of a layer the tokens of a chunk use together: what prefill has to
/// read.
package struct DistinctExperts: Sendable, Equatable {
  /// One point: `demand` is the chunk's choices over the layer's experts (tokens times experts per
  /// token over experts), `share` the part of the experts that is used.
  package struct Point: Sendable, Equatable {
    package var demand: Double
    package var share: Double

    package init(demand: Double, share: Double) {
      self.demand = demand
      self.share = share
    }
  }

  /// Ascending by demand.
  package let points: [Point]

  package init(_ points: [Point]) { self.points = points }

  /// The mean over all layers and all chunks that a trace can be cut into, for chunk sizes of
  /// powers of two.
  package init(_ trace: RoutingTrace, expertCount: Int) {
    var points: [Point] = []
    var size = 1
    while size <= trace.tokenCount && size <= 4096 {
      var (distinctCount, chunkCount) = (0, 0)
      for layer in 0..<trace.layerCount {
        for start in stride(from: 0, through: trace.tokenCount - size, by: size) {
          var experts = Set<Int32>()
          for token in start..<start + size {
            experts.formUnion(trace.selection(token: token, layer: layer))
          }
          distinctCount += experts.count
          chunkCount += 1
        }
      }
      points.append(
        Point(
          demand: Double(size) * trace.meanExpertCount / Double(expertCount),
          share: Double(distinctCount) / Double(chunkCount * expertCount)))
      size *= 2
    }
    self.points = points
  }

  /// The part of a layer's experts that chunks of some demand use, at most 1.
  ///
  /// Straight lines between the points. Beyond the last one, what is left of the experts shrinks
  /// as if further tokens chose evenly: by the factor e for each unit of demand, which is the limit
  /// of (1 - k / E)^N.
  package func share(demand: Double) -> Double {
    guard let first = points.first, let last = points.last else { return Self.even(demand) }
    if demand <= first.demand { return demand / first.demand * first.share }
    if demand >= last.demand { return 1 - (1 - last.share) * (1 - Self.even(demand - last.demand)) }
    let next = points.firstIndex { $0.demand >= demand } ?? points.count - 1
    let (low, high) = (points[next - 1], points[next])
    let position = (demand - low.demand) / (high.demand - low.demand)
    return low.share + position * (high.share - low.share)
  }

  private static func even(_ demand: Double) -> Double { 1 - exp(-demand) }
}
