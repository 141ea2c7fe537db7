/// What each layer's experts cost in the formats that they may be written in, and the choice among
/// these that loses least within a size.
package struct FormatChoice: Sendable {
  /// One format of one layer's experts.
  package struct Option: Sendable, Equatable {
    package var byteCount: Int
    /// What the layer's results lose, in the same unit for all layers.
    package var loss: Double

    package init(byteCount: Int, loss: Double) {
      self.byteCount = byteCount
      self.loss = loss
    }
  }

  /// (layer): numbers of its options in the order of their sizes, those alone between which no
  /// straight line has less loss for the bytes.
  private let hulls: [[Int]]
  private let options: [[Option]]

  /// - Parameter options: (layer, option): at least one option for each layer.
  package init(_ options: [[Option]]) {
    precondition(options.allSatisfy { !$0.isEmpty })
    self.options = options
    hulls = options.map(Self.hull)
  }

  /// Bytes of the smallest choice.
  package var byteCountMin: Int {
    zip(hulls, options).reduce(0) { $0 + $1.1[$1.0[0]].byteCount }
  }

  /// (layer): the number of an option. Layer after layer takes the next larger format wherever that
  /// saves most loss for its bytes, until nothing fits: no other choice of as many bytes loses
  /// less. Of equal steps the lower layer's comes first. Nil where even the smallest formats do not
  /// fit.
  package func best(byteCountMax: Int) -> [Int]? {
    var byteCount = byteCountMin
    guard byteCount <= byteCountMax else { return nil }
    var steps: [(layer: Int, place: Int, byteCount: Int, gain: Double)] = []
    for (layer, hull) in hulls.enumerated() {
      for place in hull.indices.dropFirst() {
        let (small, large) = (options[layer][hull[place - 1]], options[layer][hull[place]])
        let more = large.byteCount - small.byteCount
        steps.append((layer, place, more, (small.loss - large.loss) / Double(more)))
      }
    }
    steps.sort { ($1.gain, $0.layer, $0.place) < ($0.gain, $1.layer, $1.place) }
    var places = [Int](repeating: 0, count: hulls.count)
    for step in steps
    where step.place == places[step.layer] + 1 && byteCount + step.byteCount <= byteCountMax {
      places[step.layer] = step.place
      byteCount += step.byteCount
    }
    return zip(hulls, places).map { $0[$1] }
  }

  /// The lower convex hull of loss over size.
  private static func hull(_ options: [Option]) -> [Int] {
    let order = options.indices.sorted {
      (options[$0].byteCount, options[$0].loss, $0) < (options[$1].byteCount, options[$1].loss, $1)
    }
    var hull: [Int] = []
    for next in order {
      let point = options[next]
      guard let last = hull.last else {
        hull.append(next)
        continue
      }
      guard point.loss < options[last].loss, point.byteCount > options[last].byteCount else {
        continue
      }
      while hull.count >= 2 {
        let (first, second) = (options[hull[hull.count - 2]], options[hull[hull.count - 1]])
        let before = (first.loss - second.loss) / Double(second.byteCount - first.byteCount)
        let behind = (second.loss - point.loss) / Double(point.byteCount - second.byteCount)
        guard behind >= before else { break }
        hull.removeLast()
      }
      hull.append(next)
    }
    return hull
  }
}
