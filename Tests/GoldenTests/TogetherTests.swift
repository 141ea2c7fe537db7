import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoERuntime
import MoETestSupport
import Testing

/// Sequences that share steps: each row has the bits that it has alone, however prompts are cut,
/// whoever else is in the step, and however few experts fit in memory.
@Suite struct TogetherTests {
  private static let sequenceCount = 8
  /// Steps of up to so many rows.
  private static let rowCountMax = 24

  /// A text, and how far it has come.
  private struct Text {
    var tokens: [Int32]
    var sequence: SequenceState?
    /// (position): bits of the logits.
    var logits: [[UInt32]] = []

    var rest: ArraySlice<Int32> { tokens[logits.count...] }
  }

  private static func options(_ change: (inout EngineOptions) -> Void) -> EngineOptions {
    var options = GoldenModel.exactOptions
    options.chunkTokenCount = rowCountMax
    options.logitRowCount = rowCountMax
    options.parallelRequestCount = sequenceCount
    change(&options)
    return options
  }

  /// Parts of the golden's texts, of different lengths.
  private func texts(_ model: GoldenModel) throws -> [[Int32]] {
    let all = try model.sequences.flatMap { try model.tokens($0) }
    return (0..<Self.sequenceCount).map { number in
      (number * 11..<number * 11 + 9 + 13 * number).map { all[$0 % all.count] }
    }
  }

  private func bits(_ rows: FloatRows) -> [[UInt32]] {
    (0..<rows.rowCount).map { rows.row($0).array().map(\.bitPattern) }
  }

  /// Each text by itself, token by token.
  private func alone(_ texts: [[Int32]], _ decoder: Decoder) throws -> [[[UInt32]]] {
    try texts.map { tokens in
      try decoder.withSequence { sequence in
        try tokens.map { token in
          try decoder.forward(CollectionOfOne(token), of: sequence, phase: .decode)
          return decoder.lastLogits().array().map(\.bitPattern)
        }
      }
    }
  }

  /// All texts at once: in each step some of them, in any order, each with any number of tokens;
  /// texts begin and end while others go on.
  private func together(
    _ tokens: [[Int32]], _ decoder: Decoder, seed: UInt64
  ) throws -> [[[UInt32]]] {
    var random = SeededGenerator(seed: seed)
    var texts = tokens.map { Text(tokens: $0) }
    while texts.contains(where: { !$0.rest.isEmpty }) {
      var (inputs, members, room) = ([StepInput](), [Int](), Self.rowCountMax)
      for number in texts.indices.shuffled(using: &random)
      where room > 0 && !texts[number].rest.isEmpty && Bool.random(using: &random) {
        if texts[number].sequence == nil { texts[number].sequence = decoder.beginSequence() }
        guard let sequence = texts[number].sequence else { continue }
        let isDecoded = Bool.random(using: &random)
        let most = isDecoded ? 1 : Int.random(in: 1...room, using: &random)
        let part = texts[number].rest.prefix(most)
        inputs.append(StepInput(sequence, part, phase: isDecoded ? .decode : .prefill))
        members.append(number)
        room -= part.count
      }
      if inputs.isEmpty { continue }
      try decoder.forward(inputs)
      let rows = bits(decoder.logits(ofRows: 0..<Self.rowCountMax - room))
      var start = 0
      for (number, input) in zip(members, inputs) {
        texts[number].logits += rows[start..<start + input.tokens.count]
        start += input.tokens.count
        if texts[number].rest.isEmpty { decoder.endSequence(input.sequence) }
      }
    }
    return texts.map(\.logits)
  }

  @Test(arguments: GoldenModel.all)
  func everyRowHasTheBitsThatItHasAlone(_ model: GoldenModel) async throws {
    let texts = try texts(model)
    let resident = try await Engine(
      modelAt: model.modelPath, options: Self.options { $0.placement = .resident })
    let expected = try await resident.withDecoder { try alone(texts, $0) }
    let floor = try await resident.withDecoder { PoolLayout($0.experts.layout).floorByteCount }
    let offloaded = try await Engine(
      modelAt: model.modelPath,
      options: Self.options {
        $0.placement = .offloaded
        $0.expertPool = .bytes(floor)
      })
    for seed: UInt64 in 1...4 {
      for engine in [resident, offloaded] {
        let found = try await engine.withDecoder { try together(texts, $0, seed: seed) }
        #expect(found == expected, "seed \(seed), \(engine.plan.memory.placement.rawValue)")
      }
    }
  }

  /// A state that was saved and restored, into a place among others, goes on with the same bits.
  @Test(arguments: GoldenModel.all)
  func aRestoredSequenceGoesOnWithTheSameBits(_ model: GoldenModel) async throws {
    let tokens = try texts(model)[7]
    let engine = try await Engine(modelAt: model.modelPath, options: Self.options { _ in })
    try await engine.withDecoder { decoder in
      let expected = try alone([tokens], decoder)[0]
      for count in [1, 20, 63, 64, 65, tokens.count - 1] {
        let saved = try decoder.withSequence { sequence in
          for start in stride(from: 0, to: count, by: Self.rowCountMax) {
            let part = tokens[start..<min(start + Self.rowCountMax, count)]
            try decoder.forward(part, of: sequence, phase: .prefill)
          }
          return decoder.save(sequence)
        }
        // Others take the pages meanwhile.
        let other = try #require(decoder.beginSequence())
        try decoder.forward(tokens.prefix(5), of: other, phase: .prefill)
        try decoder.withSequence { sequence in
          try decoder.restore(saved, into: sequence)
          #expect(sequence.position == count && decoder.save(sequence) == saved)
          for position in count..<tokens.count {
            try decoder.forward(
              CollectionOfOne(tokens[position]), of: sequence, phase: .decode)
            let logits = decoder.lastLogits().array().map(\.bitPattern)
            #expect(logits == expected[position], "restored at \(count), position \(position)")
          }
        }
        decoder.endSequence(other)
      }
    }
  }

  /// A sequence that was cut goes on as if what was cut had never been; where a window has moved on
  /// too far it cannot be cut, and says so.
  @Test(arguments: GoldenModel.all)
  func aCutSequenceGoesOnWithTheSameBits(_ model: GoldenModel) async throws {
    let tokens = try texts(model)[6]
    let engine = try await Engine(modelAt: model.modelPath, options: Self.options { _ in })
    try await engine.withDecoder { decoder in
      let expected = try alone([tokens], decoder)[0]
      for position in [0, 1, 30, tokens.count - 3] {
        try decoder.withSequence { sequence in
          for start in stride(from: 0, to: tokens.count, by: Self.rowCountMax) {
            let part = tokens[start..<min(start + Self.rowCountMax, tokens.count)]
            try decoder.forward(part, of: sequence, phase: .prefill)
          }
          let canBeCut = position == 0 || sequence.canGoOn(at: position)
          #expect(decoder.cut(sequence, to: position) == canBeCut)
          guard canBeCut else { return }
          // Another text after the cut, then the same again.
          try decoder.forward([7, 8, 9], of: sequence, phase: .prefill)
          #expect(decoder.cut(sequence, to: position))
          for index in position..<tokens.count {
            try decoder.forward(CollectionOfOne(tokens[index]), of: sequence, phase: .decode)
            let logits = decoder.lastLogits().array().map(\.bitPattern)
            #expect(logits == expected[index], "cut at \(position), position \(index)")
          }
        }
      }
    }
  }
}
