import MoECompression

/// Blocks encoded in the plainest way: the largest weight has the largest code, no search. Gives
/// what the weights become.
enum NaiveBlocks {
  static func values(_ block: [Float], _ encoder: BlockEncoder) -> [Float] {
    let shape = encoder.shape
    let (lowest, highest) = (
      Float(shape.codes.lowerBound - shape.zero), Float(shape.codes.upperBound - shape.zero)
    )
    let groups = stride(from: 0, to: block.count, by: shape.groupElementCount).map {
      Array(block[$0..<$0 + shape.groupElementCount])
    }
    let hasMinima = shape.minimumCodes != nil
    let minima = groups.map { hasMinima ? max(0, -($0.min() ?? 0)) : 0 }
    let steps = zip(groups, minima).map { group, minimum in
      hasMinima
        ? (max(0, group.max() ?? 0) + minimum) / highest : (group.map(abs).max() ?? 0) / highest
    }
    let stored = (
      steps: rounded(steps, to: shape.scaleCodes), minima: rounded(minima, to: shape.minimumCodes)
    )
    return groups.indices.flatMap { index in
      groups[index].map { value in
        let (step, minimum) = (stored.steps[index], stored.minima[index])
        guard step > 0 else { return -minimum }
        let level = max(lowest, min(highest, ((value + minimum) / step).rounded()))
        return step * level - minimum
      }
    }
  }

  /// As 16 bits times codes, or as 16 bits alone.
  private static func rounded(_ values: [Float], to codes: ClosedRange<Int>?) -> [Float] {
    guard let codes else { return values.map { Float(Float16($0)) } }
    let highest = Float(codes.upperBound)
    let unit = Float(Float16((values.max() ?? 0) / highest))
    return values.map { unit > 0 ? unit * min(highest, ($0 / unit).rounded()) : 0 }
  }
}
