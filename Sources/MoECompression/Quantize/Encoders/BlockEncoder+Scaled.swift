/// Blocks of several groups: a group's step is an integer times the block's scale, and its minimum
/// another one times the block's minimum.
///
/// The groups are fitted first, each by itself. The scale is then the one for which integers come
/// nearest to the steps, errors weighed by what they cost; the minimum follows in the same way.
extension BlockEncoder {
  func scaledGrid(_ groups: [GroupWeights], _ fits: [GroupFit]) -> BlockGrid {
    let scale = bestScale(fits)
    let minimum = bestMinimum(fits, scale: scale)
    var best = grid(groups, fits, scale: scale, minimum: minimum)
    func attempt(_ scale: Float, _ minimum: Float) {
      guard scale.isFinite, minimum.isFinite,
        scale != best.grid.scale
          || minimum != best.grid.minimum
      else { return }
      let other = grid(groups, fits, scale: scale, minimum: minimum)
      if other.loss < best.loss { best = other }
    }
    let refined = refined(groups, best.grid)
    attempt(refined.scale, refined.minimum)
    // Never worse than the plain grid: seldom it is better, and then a beginning.
    let plain = plainScales(groups)
    if plainLoss(groups, plain) < best.loss { attempt(plain.scale, plain.minimum) }
    return best.grid
  }

  private func grid(
    _ groups: [GroupWeights], _ fits: [GroupFit], scale: Float, minimum: Float
  ) -> (grid: BlockGrid, loss: Float) {
    var grid = BlockGrid(scale: scale, minimum: minimum)
    var loss: Float = 0
    for index in groups.indices {
      grid.set(factors(groups[index], fits[index], on: grid), group: index)
      loss += groups[index].loss(
        step: grid.step(group: index), minimum: grid.minimum(group: index), levels: shape.levels)
    }
    return (grid, loss)
  }

  // MARK: - Groups on a grid

  /// A group's factors: of those around the best step and minimum, and of the plain ones, those
  /// with which it loses least.
  func factors(_ group: GroupWeights, _ fit: GroupFit, on grid: BlockGrid) -> GroupFactors {
    guard let scaleCodes = shape.scaleCodes else { return GroupFactors(scale: 1, minimum: 0) }
    var best = (factors: GroupFactors(scale: 0, minimum: 0), loss: Float.infinity)
    func attempt(_ scale: Int, _ minimum: Int) {
      let factors = GroupFactors(
        scale: scale.bounded(by: scaleCodes),
        minimum: minimum.bounded(by: shape.minimumCodes ?? 0...0))
      let loss = group.loss(
        step: grid.scale * Float(factors.scale), minimum: grid.minimum * Float(factors.minimum),
        levels: shape.levels)
      if loss < best.loss { best = (factors, loss) }
    }
    let nearest = nearestCode(fit.step, grid.scale, scaleCodes)
    for scale in nearest - 1...nearest + 1 {
      guard let minimumCodes = shape.minimumCodes else {
        attempt(scale, 0)
        continue
      }
      let minimum = nearestCode(
        fit.minimum(step: grid.scale * Float(scale)), grid.minimum, minimumCodes)
      for other in minimum - 1...minimum + 1 { attempt(scale, other) }
    }
    let plain = plainFactors(group, (grid.scale, grid.minimum))
    attempt(plain.scale, plain.minimum)
    return best.factors
  }

  private func nearestCode(_ value: Float, _ unit: Float, _ codes: ClosedRange<Int>) -> Int {
    guard unit != 0 else { return 0.bounded(by: codes) }
    let bounded = max(Float(codes.lowerBound), min(Float(codes.upperBound), value / unit))
    return Int(bounded.rounded())
  }

  /// The step with which the largest weight has the largest code.
  private func plainStep(_ group: GroupWeights) -> (step: Float, minimum: Float) {
    guard shape.minimumCodes != nil else {
      return (group.extreme.magnitude / shape.levels.upperBound, 0)
    }
    let minimum = max(0, -group.low)
    return ((max(0, group.high) + minimum) / shape.levels.upperBound, minimum)
  }

  // MARK: - Scales of a block

  /// The scale whose multiples come nearest to the groups' steps. Trials divide the largest step by
  /// each code in turn, so that steps that are multiples are found.
  private func bestScale(_ fits: [GroupFit]) -> Float {
    guard let codes = shape.scaleCodes else { return 1 }
    let hasMinimum = shape.minimumCodes != nil
    return best(
      of: fits.map { ($0.step, $0.curvature(hasMinimum: hasMinimum)) }, codes: codes)
  }

  private func bestMinimum(_ fits: [GroupFit], scale: Float) -> Float {
    guard let scaleCodes = shape.scaleCodes, let codes = shape.minimumCodes else { return 0 }
    let minima = fits.map { fit in
      let step = scale * Float(nearestCode(fit.step, scale, scaleCodes))
      return (fit.minimum(step: step), fit.sums.one)
    }
    return best(of: minima, codes: codes)
  }

  /// The unit whose multiples lose least: Σ weight · (value - unit · code)².
  private func best(
    of values: [(value: Float, weight: Float)], codes: ClosedRange<Int>
  ) -> Float {
    var largest: Float = 0
    for (value, _) in values where value.magnitude > largest.magnitude { largest = value }
    guard largest != 0 else { return 0 }
    var best: (unit: Float, loss: Float) = (0, .infinity)
    // From half of the codes on all multiples are found, unless 16 bits are too coarse for so small
    // a unit.
    let isCoarse = largest.magnitude / Float(codes.upperBound) < Self.coarseUnit
    let first = isCoarse ? 1 : codes.upperBound / 2 + 1
    for trial in (codes.lowerBound < 0 ? first - 1 : first)...codes.upperBound {
      // The largest step may have the lowest code, too.
      let code = trial < first ? codes.lowerBound : trial
      let unit = (largest / Float(code)).asHalf
      guard unit != 0 else { continue }
      let inverse = 1 / unit
      let (low, high) = (Float(codes.lowerBound), Float(codes.upperBound))
      var loss: Float = 0
      for (value, weight) in values {
        let bounded = max(low, min(high, value * inverse))
        let difference = value - unit * bounded.rounded()
        loss += weight * difference * difference
      }
      if loss < best.loss { best = (unit, loss) }
    }
    return best.unit
  }

  /// 64 times the smallest float of 16 bits.
  private static let coarseUnit: Float = 0x1p-18

  private func plainScales(_ groups: [GroupWeights]) -> (scale: Float, minimum: Float) {
    let plain = groups.map { plainStep($0) }
    let step = plain.reduce(Float(0)) { max($0, $1.step) }
    let minimum = plain.reduce(Float(0)) { max($0, $1.minimum) }
    return (
      (step / Float(shape.scaleCodes?.upperBound ?? 1)).asHalf,
      (minimum / Float(shape.minimumCodes?.upperBound ?? 1)).asHalf
    )
  }

  private func plainLoss(
    _ groups: [GroupWeights], _ scales: (scale: Float, minimum: Float)
  ) -> Float {
    var loss: Float = 0
    for group in groups {
      let factors = plainFactors(group, scales)
      loss += group.loss(
        step: scales.scale * Float(factors.scale),
        minimum: scales.minimum * Float(factors.minimum), levels: shape.levels)
    }
    return loss
  }

  private func plainFactors(
    _ group: GroupWeights, _ scales: (scale: Float, minimum: Float)
  ) -> GroupFactors {
    let plain = plainStep(group)
    return GroupFactors(
      scale: nearestCode(plain.step, scales.scale, shape.scaleCodes ?? 1...1),
      minimum: nearestCode(plain.minimum, scales.minimum, shape.minimumCodes ?? 0...0))
  }

  /// The best scale and minimum for the codes that a grid gives: least squares over the block.
  private func refined(
    _ groups: [GroupWeights], _ grid: BlockGrid
  ) -> (scale: Float, minimum: Float) {
    var (square, mixed, one, product, weight) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for index in groups.indices where grid.step(group: index) != 0 {
      let sums = groups[index].sums(
        inverse: 1 / grid.step(group: index), offset: -grid.minimum(group: index),
        levels: shape.levels)
      let (scale, minimum) = (
        Double(grid.scaleCodes[index]), Double(grid.minimumCodes[index])
      )
      square += scale * scale * Double(sums.square)
      mixed += scale * minimum * Double(sums.level)
      one += minimum * minimum * Double(sums.one)
      product += scale * Double(sums.product)
      weight += minimum * Double(sums.weight)
    }
    guard square > 0 else { return (grid.scale, grid.minimum) }
    // weight = scale · (code · level) - minimum · code
    let determinant = square * one - mixed * mixed
    guard one > 0, determinant > 0 else { return (Float(product / square).asHalf, grid.minimum) }
    let minimum = (mixed * product - square * weight) / determinant
    let scale = (one * product - mixed * weight) / determinant
    return (Float(scale).asHalf, max(0, Float(minimum).asHalf))
  }
}

extension Int {
  func bounded(by range: ClosedRange<Int>) -> Int {
    Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}
