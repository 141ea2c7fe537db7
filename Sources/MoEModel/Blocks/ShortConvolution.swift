import MoECore
import MoEKernels

/// A convolution over the latest rows between two gates, channel by channel (LFM2, arXiv
/// 2511.23404).
package struct ShortConvolutionDescription: Sendable, Equatable {
  /// As wide as the residual stream.
  package var channelCount: Int
  /// Rows that the convolution sees.
  package var tapCount: Int
  /// The name of the norm before it, without the layer's prefix and `.weight`.
  package var normName = "attn_norm"

  package var state: RecurrentState {
    RecurrentState(
      convolution: ConvolutionShape(channelCount: channelCount, tapCount: tapCount))
  }
}

extension TensorRole {
  package static let convolutionInput = TensorRole(rawValue: "convolution's input projection")
}

extension ShortConvolutionDescription {
  func addTensors(to table: inout TensorTable, hiddenSize: Int) {
    table.vector(.attentionNorm, normName + ".weight", count: hiddenSize)
    table.matrix(
      .convolutionInput, "shortconv.in_proj.weight", rows: 3 * channelCount, columns: hiddenSize)
    table.vector(.convolution, "shortconv.conv.weight", dimensions: [tapCount, channelCount])
    table.vector(
      .convolutionBias, "shortconv.conv.bias", count: channelCount, isOptional: true)
    table.matrix(
      .recurrenceOutput, "shortconv.out_proj.weight", rows: hiddenSize, columns: channelCount)
  }
}

/// What a tile of rows needs of scratch memory: (row, hiddenSize) each.
struct ShortConvolutionScratch: Sendable {
  /// After the norm; then the projected output.
  let normed: ScratchRegion
  let inputGate: ScratchRegion
  let outputGate: ScratchRegion
  let input: ScratchRegion

  init(hiddenSize: Int, in arena: inout ScratchArena) {
    func region() -> ScratchRegion { arena.rows(arena.tileRowCount, columns: hiddenSize) }
    normed = region()
    inputGate = region()
    outputGate = region()
    input = region()
  }
}

/// output(outputGate(x) · convolution(inputGate(x) · input(x))) with x = norm(hidden),
/// and the sequences' states changed.
struct ShortConvolutionBlock {
  private let layer: Int
  private let description: ShortConvolutionDescription
  private let weights: LoadedTensors
  private let scratch: ShortConvolutionScratch
  private let output: QuantizedMatrix

  init(
    _ description: ShortConvolutionDescription, layer: Int, weights: LoadedTensors,
    scratch: ShortConvolutionScratch
  ) {
    self.layer = layer
    self.description = description
    self.weights = weights
    self.scratch = scratch
    output = weights.matrix(.recurrenceOutput)
  }

  /// - Parameters:
  ///   - hidden: The rows of a tile, whose first is row `start` of the step.
  func callAsFunction(_ hidden: FloatRows, start: Int, _ decoder: Decoder) -> FloatRows {
    let (team, count) = (decoder.team, hidden.rowCount)
    let normed = decoder.scratch.rows(scratch.normed, count: count)
    let inputGate = decoder.scratch.rows(scratch.inputGate, count: count)
    let outputGate = decoder.scratch.rows(scratch.outputGate, count: count)
    let input = decoder.scratch.rows(scratch.input, count: count)
    team.rmsNorm(
      hidden, weight: weights.vector(.attentionNorm), epsilon: decoder.description.normEpsilon,
      into: normed)
    // One matrix after the other in the file's.
    let projection = weights.matrix(.convolutionInput)
    decoder.beginProducts(of: normed)
    for (number, rows) in [inputGate, outputGate, input].enumerated() {
      let width = description.channelCount
      decoder.append(projection.rows(number * width, count: width), into: rows)
    }
    decoder.multiply(as: .queryKeyValue)
    team.activate(.bilinear, gate: inputGate, up: input)
    decoder.withStates(layer: layer, rows: start..<start + count) { segments in
      team.convolve(
        inputGate, description.state.convolution, weight: weights.vector(.convolution),
        bias: weights.optionalVector(.convolutionBias), segments: segments)
    }
    team.activate(.bilinear, gate: inputGate, up: outputGate)
    // The norm's rows are free again: they take the projected output.
    decoder.beginProducts(of: inputGate)
    decoder.append(output, into: normed)
    decoder.multiply(as: .attentionOutput)
    return normed
  }
}
