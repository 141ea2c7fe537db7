import MoECore
package import MoEKernels

/// A format that weights can be written in: rounded to the nearest value of a grid that is fitted
/// to each block, by least squares over many trials, or to the grid of somebody who rounds with
/// more care.
///
/// A block's loss is never larger than with the plain grid, whose step is the largest weight over
/// the largest code.
package struct BlockEncoder: Sendable {
  package let name: String
  /// One sentence.
  package let summary: String
  package let shape: BlockShape
  package let format: QuantFormat
  let fitter: GroupFitter
  let pack: Packing

  /// Writes a block: (element) the codes, and exactly the format's bytes of a block.
  typealias Packing =
    @Sendable (
      _ grid: BlockGrid, _ codes: Span<UInt8>, _ bytes: ByteView
    ) -> Void

  init(
    _ name: String, type: UInt32, summary: String, _ shape: BlockShape,
    pack: @escaping Packing
  ) {
    guard let format = QuantFormat(ggmlType: type) else {
      preconditionFailure("\(name) has no kernels")
    }
    precondition(format.blockElementCount == shape.elementCount)
    precondition(shape.groupCount <= BlockShape.groupCountMax)
    self.name = name
    self.summary = summary
    self.shape = shape
    self.format = format
    self.pack = pack
    fitter = GroupFitter(shape)
  }

  package var bitsPerWeight: Double {
    Double(8 * format.blockByteCount) / Double(format.blockElementCount)
  }

  /// The grid of a block on which its weights lose least.
  ///
  /// - Parameters:
  ///   - weights: A block's, finite, none beyond `EncodingError.magnitudeMax`.
  ///   - importance: How much an error of each counts, of at least 0; nil: all are alike.
  package func grid(_ weights: Span<Float>, importance: Span<Float>? = nil) -> BlockGrid {
    precondition(weights.count == shape.elementCount)
    let groups = groups(weights, importance)
    let fits = groups.map { fitter($0) }
    return shape.scaleCodes == nil
      ? plainGrid(groups[0], fits[0]) : scaledGrid(groups, fits)
  }

  /// Fits one group's factors anew, for weights that have changed since the block's grid was made;
  /// the block's own scale and minimum stay.
  package func refit(
    _ grid: inout BlockGrid, group: Int, _ weights: Span<Float>, importance: Span<Float>? = nil
  ) {
    guard shape.scaleCodes != nil else { return }
    let values = GroupWeights(weights, importance: importance)
    grid.set(factors(values, fitter(values), on: grid), group: group)
  }

  private func groups(_ weights: Span<Float>, _ importance: Span<Float>?) -> [GroupWeights] {
    (0..<shape.groupCount).map { group in
      let range = group * shape.groupElementCount..<(group + 1) * shape.groupElementCount
      return GroupWeights(
        weights.extracting(range), importance: importance?.extracting(range))
    }
  }
}
