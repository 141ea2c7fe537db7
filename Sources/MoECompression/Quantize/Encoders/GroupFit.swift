/// The step, and minimum, on whose grid a group loses least, before these are rounded to what a
/// block can store; with how fast the loss grows around them, by which that rounding is chosen.
struct GroupFit {
  /// Of weight = step · level - minimum.
  var step: Float = 0
  var minimum: Float = 0
  /// Of the levels that the weights have there.
  var sums = GroupWeights.Sums()

  /// What a change of the step by 1 costs, if the minimum follows: the loss is a parabola.
  func curvature(hasMinimum: Bool) -> Float {
    guard hasMinimum, sums.one > 0 else { return sums.square }
    return max(0, sums.square - sums.level * sums.level / sums.one)
  }

  /// The best minimum for another step; at least 0.
  func minimum(step: Float) -> Float {
    guard sums.one > 0 else { return 0 }
    return max(0, (step * sums.level - sums.weight) / sums.one)
  }
}

/// Finds the best grid of a group by least squares, from many beginnings: for each way in which the
/// outermost weight may be rounded the levels of all follow, and for these levels the best step has
/// a closed form.
struct GroupFitter {
  private let levels: ClosedRange<Float>
  private let hasMinimum: Bool
  /// Levels, not all of them whole, to which the extreme is rounded in turn. Those from half of the
  /// levels on are enough: a step for less is twice another one. Whole ones are among them, so
  /// that weights that are on a grid are found on it.
  private let trials: [Float]

  init(_ shape: BlockShape) {
    levels = shape.levels
    hasMinimum = shape.minimumCodes != nil
    if hasMinimum {
      trials = Self.trials(to: levels.upperBound, spacing: levels.upperBound > 8 ? 0.5 : 0.25)
    } else if levels.upperBound == -levels.lowerBound {
      trials = Self.trials(to: levels.upperBound, spacing: 1)
    } else {
      let spacing: Float = levels.upperBound > 8 ? 1 : 0.25
      trials =
        Self.trials(to: -levels.lowerBound, spacing: spacing).map { -$0 }
        + Self.trials(to: levels.upperBound, spacing: spacing)
    }
  }

  private static func trials(to level: Float, spacing: Float) -> [Float] {
    let first = (level / 2).rounded(.up) - (spacing < 1 ? 0.5 : 0)
    return Array(stride(from: first, through: level + (spacing < 1 ? 0.75 : 0), by: spacing))
  }

  func callAsFunction(_ group: GroupWeights) -> GroupFit {
    hasMinimum ? withMinimum(group) : aroundZero(group)
  }

  /// The product's square over the squares is what the best step for some levels gains.
  private func aroundZero(_ group: GroupWeights) -> GroupFit {
    var fit = GroupFit()
    guard group.extreme != 0 else { return fit }
    var best: Float = 0
    func attempt(_ inverse: Float) {
      let sums = group.sums(inverse: inverse, levels: levels)
      guard sums.square > 0, sums.product * sums.product > best * sums.square else { return }
      best = sums.product * sums.product / sums.square
      fit.step = sums.product / sums.square
      fit.sums.square = sums.square
    }
    for trial in trials { attempt(trial / group.extreme) }
    if fit.step != 0 { attempt(1 / fit.step) }
    return fit
  }

  private func withMinimum(_ group: GroupWeights) -> GroupFit {
    let low = min(group.low, 0)
    var fit = GroupFit(step: 0, minimum: -low)
    let range = group.high - low
    fit.sums = group.sums(inverse: 0, offset: low, levels: levels)
    guard range > 0 else { return fit }
    var best = Float.infinity
    func attempt(_ inverse: Float, _ offset: Float) {
      let sums = group.sums(inverse: inverse, offset: offset, levels: levels)
      let (step, minimum, loss) = Self.leastSquares(sums)
      guard loss < best, step > 0 else { return }
      best = loss
      fit = GroupFit(step: step, minimum: minimum, sums: sums)
    }
    for trial in trials { attempt(trial / range, low) }
    if fit.step > 0 { attempt(1 / fit.step, -fit.minimum) }
    return fit
  }

  /// The best step and minimum for some levels; the loss less the weights' own squares.
  private static func leastSquares(
    _ sums: GroupWeights.Sums
  ) -> (step: Float, minimum: Float, loss: Float) {
    let (one, level, square) = (Double(sums.one), Double(sums.level), Double(sums.square))
    let (weight, product) = (Double(sums.weight), Double(sums.product))
    let determinant = one * square - level * level
    guard square > 0 else { return (0, 0, .infinity) }
    var step = determinant > 0 ? (one * product - level * weight) / determinant : 0
    var offset = one > 0 ? (weight - step * level) / one : 0
    // Minima are subtracted, and none is below 0.
    if determinant <= 0 || offset > 0 { (step, offset) = (product / square, 0) }
    let loss =
      step * step * square + 2 * step * offset * level + offset * offset * one
      - 2 * step * product - 2 * offset * weight
    return (Float(step), Float(-offset), Float(loss))
  }
}
