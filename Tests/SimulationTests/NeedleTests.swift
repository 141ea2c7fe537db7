import MoECore
import MoEKernels
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

/// A token far back in a text is found by layers that see all of it, and by no others.
///
/// The weights are made by hand: every layer, with a window or without, does the same. A row with
/// the mark of a question looks for rows with the mark of a needle, and notes which needle it found
/// where the logits read it. All other weights are zero, and norms are one.
@Suite struct NeedleTests {
  /// Families with layers that have a window and layers that see everything.
  static let architectures = SyntheticModel.Architecture.allCases.filter { architecture in
    let layers = (try? SyntheticModel(architecture).description())?.layers ?? []
    let limits = layers.compactMap { $0.mixer?.attentionShape?.limits }
    return limits.contains(.causal)
      && limits.contains { if case .sliding = $0 { true } else { false } }
  }

  private static let (window, tokenCount, contextLength) = (128, 3_600, 4_096)
  /// Tokens: the needles, then the question, then what fills the text.
  private static let (needleCount, question) = (8, 8)

  private enum Element {
    static let (content, answer, needleMark, questionMark, filling) = (0, 8, 16, 17, 32)
  }

  private static func embedding(_ token: Int, _ element: Int) -> Float {
    switch token {
    case ..<needleCount:
      element == Element.content + token || element == Element.needleMark ? 1 : 0
    case question: element == Element.questionMark ? 1 : 0
    default: element == Element.filling + token % 32 ? 1 : 0
    }
  }

  /// - Parameter dimension: Of the heads of the tensor's layer. The last element of a head does not
  ///   turn and bears the marks; the first ones have which needle it is.
  private static func weight(
    _ role: TensorRole, row: Int, column: Int, dimension: Int, keysAreValues: Bool
  ) -> Float {
    let isMark = row % dimension == dimension - 1
    let isContent = row % dimension < needleCount && column == Element.content + row % dimension
    switch role {
    case .embedding: return embedding(row, column)
    case .query: return isMark && column == Element.questionMark ? 2 : 0
    case .key:
      if keysAreValues && isContent { return 1 }
      return isMark && column == Element.needleMark ? 2 : 0
    case .value: return isContent ? 1 : 0
    case .attentionOutput:
      return column % dimension < needleCount && row == Element.answer + column % dimension ? 1 : 0
    case .output: return row < needleCount && column == Element.answer + row ? 1 : 0
    case .queryNorm, .keyNorm: return 2
    default: return 0
    }
  }

  private static func values(of row: TensorRow, layer: LayerDescription?) -> [Float] {
    let attention = layer?.mixer?.attention
    let (rowCount, columnCount) =
      switch row.shape {
      case .matrix(let rowCount, let columnCount): (rowCount, columnCount)
      case .vector(let dimensions): (dimensions.reduce(1, *), 1)
      }
    let isNorm = row.role == .queryNorm || row.role == .keyNorm
    return (0..<rowCount * columnCount).map { index in
      if row.isFactor && !isNorm { return 1 }
      return weight(
        row.role, row: index / columnCount, column: index % columnCount,
        dimension: attention?.headDimension ?? 1,
        keysAreValues: attention?.valueSource == .keyProjection)
    }
  }

  /// - Parameter seesAll: False: layers that see everything have the window, too.
  private func model(
    _ architecture: SyntheticModel.Architecture, seesAll: Bool = true
  ) throws -> HandmadeModel {
    var shape = SyntheticModel(architecture)
    shape.contextLength = Self.contextLength
    shape["attention.sliding_window"] = .unsigned(UInt64(Self.window))
    for suffix in ["", "_swa"] where suffix.isEmpty || shape["attention.key_length_swa"] != nil {
      shape["attention.key_length" + suffix] = .unsigned(16)
      shape["attention.value_length" + suffix] = .unsigned(16)
      shape["rope.dimension_count" + suffix] = .unsigned(8)
    }
    let description = try shape.description()
    var values: [String: [Float]] = [:]
    for row in description.endTensors.rows { values[row.name] = Self.values(of: row, layer: nil) }
    for (number, layer) in description.layers.enumerated() {
      for row in layer.tensors(number, description).rows {
        values[row.name] = Self.values(of: row, layer: layer)
      }
    }
    return try HandmadeModel(shape) { tensor in
      values[tensor.name] ?? Array(repeating: 0, count: tensor.elementCount)
    } change: { description in
      guard !seesAll else { return }
      for index in description.layers.indices {
        guard case .attention(var attention) = description.layers[index].mixer else { continue }
        attention.limits = .sliding(Self.window)
        description.layers[index].mixer = .attention(attention)
      }
    }
  }

  /// The needles' logits behind a question at the end of a text, in which one needle stands.
  private func answers(
    _ decoder: Decoder, needle: Int, at position: Int,
    check: (SequenceState) throws -> Void = { _ in }
  ) throws -> [Float] {
    var tokens = (0..<Self.tokenCount).map { Int32(9 + $0 * 37 % 500) }
    tokens[position] = Int32(needle)
    tokens[Self.tokenCount - 1] = Int32(Self.question)
    return try decoder.withSequence { sequence in
      for start in stride(from: 0, to: tokens.count, by: decoder.stepRowCountMax) {
        let end = min(start + decoder.stepRowCountMax, tokens.count)
        try decoder.forward(tokens[start..<end], of: sequence, phase: .prefill)
      }
      try check(sequence)
      return Array(decoder.lastLogits().array().prefix(Self.needleCount))
    }
  }

  private func isFound(_ needle: Int, _ logits: [Float]) -> Bool {
    logits.indices.allSatisfy { $0 == needle || logits[$0] + 0.5 < logits[needle] }
  }

  /// No needle is told from the others.
  private func isUnknown(_ logits: [Float]) -> Bool { Set(logits).count == 1 }

  @Test func thereAreSuchFamilies() { #expect(Self.architectures.count >= 2) }

  @Test(arguments: architectures)
  func aNeedleIsFoundByLayersThatSeeAll(_ architecture: SyntheticModel.Architecture) throws {
    let model = try model(architecture)
    let decoder = try model.decoder(chunk: 256, contextLength: Self.contextLength)
    for (needle, position) in [(5, 3_000), (2, 0)] {
      let logits = try answers(decoder, needle: needle, at: position)
      #expect(isFound(needle, logits), "needle \(needle) at \(position): \(logits)")
    }
  }

  /// Who sees a window finds what stands in it, to its first position, and nothing before.
  @Test(arguments: architectures)
  func windowsAloneFindNothingBehindThem(_ architecture: SyntheticModel.Architecture) throws {
    let model = try model(architecture, seesAll: false)
    let decoder = try model.decoder(chunk: 256, contextLength: Self.contextLength)
    let first = Self.tokenCount - Self.window
    #expect(isFound(6, try answers(decoder, needle: 6, at: first)))
    for (needle, position) in [(6, first - 1), (5, 3_000)] {
      let logits = try answers(decoder, needle: needle, at: position)
      #expect(isUnknown(logits), "needle \(needle) at \(position): \(logits)")
    }
  }

  /// What is planned for layers with a window is the window, and what it takes to fill it; and no
  /// more is kept.
  @Test(arguments: architectures)
  func windowsHoldNoMoreThanTheWindow(_ architecture: SyntheticModel.Architecture) throws {
    let (model, chunk) = (try model(architecture), 256)
    let description = model.model.description
    let layout = StateLayout(
      description, contextLength: Self.contextLength, type: .f32, tileRowCount: chunk)
    let group = try #require(layout.groups.first { $0.window != nil })
    let rowByteCount = group.layers.reduce(0) { $0 + layout.byteCountPerPosition(ofLayer: $1) }
    #expect(group.layers.count >= 2 && group.window == Self.window)
    // The window before a chunk's first row, the chunk, and the pages at both ends.
    let heldCount = Self.window + chunk + 2 * group.pagePositionCount
    #expect(
      group.pageByteStride * group.pageCount
        <= rowByteCount * heldCount + group.pageCount << 12)
    #expect(heldCount < Self.tokenCount / 4)
    let decoder = try model.decoder(chunk: chunk, contextLength: Self.contextLength)
    _ = try answers(decoder, needle: 5, at: 3_000) { sequence in
      // Of the window's layers only the positions that the next token sees are saved.
      let all = layout.byteCountPerPosition - rowByteCount
      let kept = decoder.save(sequence).count
      #expect(kept >= all * Self.tokenCount + rowByteCount * (Self.window - 1))
      #expect(kept <= all * Self.tokenCount + rowByteCount * Self.window + 1 << 12)
      #expect(!sequence.canGoOn(at: 3_000) && sequence.canGoOn(at: Self.tokenCount))
    }
  }
}
