package import MoECore
import MoEExperts
import MoEKernels
import MoEModel

/// The formats with which a model's file fits a size and loses least.
///
/// Experts are by far the most of a model and stand fewest bits ("Fast inference of
/// mixture-of-experts models with offloading", arXiv 2312.17238, section 3.3), so they give first,
/// layer by layer where it is measured to cost least; attention gives last and keeps at least 4
/// bits. What is in fewer bits already stays as it is.
package struct SizedMix {
  /// What experts may be written in.
  package static let expertEncoders = [
    SingleScaleBlocks.q8_0, SignedScaleBlocks.q6_k, MinimumBlocks.q5_k, MinimumBlocks.q4_k,
    SignedScaleBlocks.q3_k, MinimumBlocks.q2_k,
  ]

  /// Of what every token uses: attention, and the rest; from the most bits down.
  private static let denseSteps = [
    (SingleScaleBlocks.q8_0, SingleScaleBlocks.q8_0),
    (SingleScaleBlocks.q8_0, SignedScaleBlocks.q6_k),
    (SignedScaleBlocks.q6_k, MinimumBlocks.q5_k), (SignedScaleBlocks.q6_k, MinimumBlocks.q4_k),
    (MinimumBlocks.q4_k, MinimumBlocks.q4_k),
  ]

  package let mix: QuantizationMix
  /// By layer: the format of its experts; nil: what they are in.
  package let chosen: [(layer: Int, encoder: BlockEncoder?)]

  /// - Parameters:
  ///   - losses: By layer, (encoder of `expertEncoders`): what its results lose.
  ///   - byteCountMax: Of the whole file.
  package init(
    of source: QuantizationSource, pruning: ExpertPruning = ExpertPruning(),
    losses: [Int: [Double]], byteCountMax: Int
  ) throws(QuantizeError) {
    var least = 0
    for (attention, rest) in Self.denseSteps {
      var mix = QuantizationMix()
      mix.keepsSmaller = true
      (mix.attention, mix.dense, mix.embedding, mix.output) = (attention, rest, rest, rest)
      let rooms = try Rooms(source, mix, pruning, losses)
      guard let options = rooms.choice.best(byteCountMax: byteCountMax - rooms.otherByteCount)
      else {
        least = rooms.otherByteCount + rooms.choice.byteCountMin
        continue
      }
      var chosen: [(layer: Int, encoder: BlockEncoder?)] = []
      for (layer, option) in zip(rooms.layers, options) {
        let encoder = rooms.encoders[option]
        chosen.append((layer, encoder))
        mix.layerExperts[layer] = encoder
      }
      self.mix = mix
      self.chosen = chosen
      return
    }
    throw .sizeTooSmall(wanted: byteCountMax, least: least)
  }

  /// What the layers' experts take in each format, and everything else.
  private struct Rooms {
    let layers: [Int]
    /// Nil: as they are.
    let encoders: [BlockEncoder?]
    let choice: FormatChoice
    let otherByteCount: Int

    init(
      _ source: QuantizationSource, _ mix: QuantizationMix, _ pruning: ExpertPruning,
      _ losses: [Int: [Double]]
    ) throws(QuantizeError) {
      layers = source.experts.routedLayers
      encoders = [nil] + SizedMix.expertEncoders
      var options = [[FormatChoice.Option]](repeating: [], count: layers.count)
      var other = 0
      for (number, encoder) in encoders.enumerated() {
        var mix = mix
        mix.experts = encoder
        let plan = try QuantizationPlan(mix, pruning: pruning, of: source)
        let sizes = try plan.byteCounts(source)
        // The header says a little more where anything was quantised.
        other = max(other, sizes.other)
        for (place, layer) in layers.enumerated() {
          let loss = number == 0 ? 0 : losses[layer]?[number - 1] ?? 1
          options[place].append(
            FormatChoice.Option(byteCount: sizes.experts[layer] ?? 0, loss: loss))
        }
      }
      otherByteCount = other
      choice = FormatChoice(options)
    }
  }
}
