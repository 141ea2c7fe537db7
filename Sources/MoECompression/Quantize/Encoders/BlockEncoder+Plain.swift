/// Blocks of one group, whose step is a float of 16 bits.
extension BlockEncoder {
  func plainGrid(_ group: GroupWeights, _ fit: GroupFit) -> BlockGrid {
    let levels = shape.levels
    // Least squares knows nothing of rounding the step to 16 bits.
    let fitted = fit.step.asHalf
    let trials: InlineArray<6, Float> = [
      fitted, Float(Float16(fitted).nextUp), Float(Float16(fitted).nextDown),
      (group.extreme.magnitude / levels.upperBound).asHalf,
      (group.extreme / levels.lowerBound).asHalf, 0,
    ]
    var best: (step: Float, loss: Float) = (0, .infinity)
    for index in trials.indices where trials[index].isFinite {
      let loss = group.loss(step: trials[index], minimum: 0, levels: levels)
      if loss < best.loss { best = (trials[index], loss) }
    }
    var grid = BlockGrid(scale: best.step, minimum: 0)
    grid.set(GroupFactors(scale: 1, minimum: 0), group: 0)
    return grid
  }
}
