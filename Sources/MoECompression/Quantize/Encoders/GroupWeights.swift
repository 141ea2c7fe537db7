/// The weights of a group and how much an error of each counts, in vectors: every trial of a scale
/// goes over all of them.
struct GroupWeights {
  typealias Lanes = SIMD8<Float>

  private static let laneCount = Lanes.scalarCount

  private let unitCount: Int
  private var values: InlineArray<4, Lanes>
  private var importance: InlineArray<4, Lanes>
  /// The extremes.
  let low: Float
  let high: Float
  /// Whichever is farther from 0, with its sign.
  var extreme: Float { -low > high ? low : high }

  /// - Parameters:
  ///   - weights: 16 or 32, finite.
  ///   - importance: As many numbers of at least 0, not all of them 0; nil: all are alike.
  init(_ weights: Span<Float>, importance: Span<Float>?) {
    precondition(weights.count == 16 || weights.count == 32)
    precondition(importance == nil || importance?.count == weights.count)
    unitCount = weights.count / Self.laneCount
    values = InlineArray(repeating: Lanes(repeating: 0))
    self.importance = InlineArray(repeating: Lanes(repeating: 1))
    var (low, high) = (Lanes(repeating: weights[0]), Lanes(repeating: weights[0]))
    for unit in 0..<unitCount {
      let lanes = Self.lanes(weights, unit)
      values[unit] = lanes
      if let importance { self.importance[unit] = Self.lanes(importance, unit) }
      low = low.replacing(with: lanes, where: lanes .< low)
      high = high.replacing(with: lanes, where: lanes .> high)
    }
    self.low = low.min()
    self.high = high.max()
  }

  private static func lanes(_ numbers: Span<Float>, _ unit: Int) -> Lanes {
    unsafe numbers.withUnsafeBytes { bytes in
      unsafe bytes.loadUnaligned(
        fromByteOffset: unit * MemoryLayout<Lanes>.size, as: Lanes.self)
    }
  }

  /// What rounding to a grid leaves, in sums over the group, each weighted by importance.
  struct Sums {
    /// Of 1, the level, its square.
    var one: Float = 0
    var level: Float = 0
    var square: Float = 0
    /// Of the weight, and of its product with the level.
    var weight: Float = 0
    var product: Float = 0
  }

  /// Rounds (weight - offset) / step to levels.
  ///
  /// - Parameter inverse: 1 / step
  func sums(inverse: Float, offset: Float, levels: ClosedRange<Float>) -> Sums {
    var (one, level) = (Lanes(repeating: 0), Lanes(repeating: 0))
    var (square, weight, product) = (level, level, level)
    for unit in 0..<unitCount {
      let (x, w) = (values[unit], importance[unit])
      let q = Self.rounded((x - offset) * inverse, levels)
      let (wq, wx) = (w * q, w * x)
      one += w
      level += wq
      square += wq * q
      weight += wx
      product += wx * q
    }
    return Sums(
      one: one.sum(), level: level.sum(), square: square.sum(), weight: weight.sum(),
      product: product.sum())
  }

  /// The same where there is no offset, of what such a grid needs alone.
  func sums(inverse: Float, levels: ClosedRange<Float>) -> (square: Float, product: Float) {
    var (square, product) = (Lanes(repeating: 0), Lanes(repeating: 0))
    for unit in 0..<unitCount {
      let (x, w) = (values[unit], importance[unit])
      let q = Self.rounded(x * inverse, levels)
      let wq = w * q
      square += wq * q
      product += wq * x
    }
    return (square.sum(), product.sum())
  }

  /// What is lost on the grid step · level - minimum: Σ importance · difference².
  func loss(step: Float, minimum: Float, levels: ClosedRange<Float>) -> Float {
    let inverse = step == 0 ? 0 : 1 / step
    var sum = Lanes(repeating: 0)
    for unit in 0..<unitCount {
      let x = values[unit] + minimum
      let difference = x - Self.rounded(x * inverse, levels) * step
      sum += importance[unit] * difference * difference
    }
    return sum.sum()
  }

  /// Adding this to a float below 2^22 leaves no bits behind the point.
  private static let roundingShift: Float = 0x1.8p23

  /// To the nearest level; half to even.
  @inline(__always)
  private static func rounded(_ values: Lanes, _ levels: ClosedRange<Float>) -> Lanes {
    // Selections stay in vector registers; the library's minima and maxima go lane by lane.
    let atLeast = values.replacing(with: levels.lowerBound, where: values .< levels.lowerBound)
    let bounded = atLeast.replacing(with: levels.upperBound, where: atLeast .> levels.upperBound)
    return (bounded + roundingShift) - roundingShift
  }
}
