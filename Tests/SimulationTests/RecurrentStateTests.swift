import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// States of fixed size: exact in chunks of any size, the same after a step that failed, saved and
/// restored, and never cut.
@Suite struct RecurrentStateTests {
  /// Those with layers that keep such a state.
  static let architectures = SyntheticModel.Architecture.allCases.filter { architecture in
    let description = try? SyntheticModel(architecture).description()
    return description?.layers.contains { $0.mixer?.state != nil } ?? false
  }

  private struct Parts {
    let model: SimulatedModel
    let team: WorkerTeam
    let experts: ResidentExperts

    init(_ architecture: SyntheticModel.Architecture, contextLength: Int) throws {
      try self.init(SyntheticModel(architecture), contextLength: contextLength)
    }

    init(_ shape: SyntheticModel, contextLength: Int, workerCount: Int = 2) throws {
      var shape = shape
      shape.contextLength = contextLength
      model = try SimulatedModel(shape, shape, foreignLayers: [])
      team = try WorkerTeam(workerCount: workerCount)
      let backend = MemoryBackend(contents: model.contents, depth: 4)
      experts = try ResidentExperts(
        model.tensors.experts, reader: try ExtentReader(backend: backend, files: model.files),
        team: team)
    }

    func decoder(chunk: Int, sequenceCount: Int = 1) throws -> Decoder {
      try model.decoder(
        experts, team: team, chunk: chunk, contextLength: model.description.contextLength,
        kvType: .f16, sequenceCount: sequenceCount)
    }
  }

  private static func tokens(_ count: Int) -> [Int32] {
    (0..<count).map { Int32($0 * 37 % 509) }
  }

  @Test func thereAreSuchArchitectures() { #expect(Self.architectures.count >= 4) }

  /// The first layers of a model, as many as look back at no positions: looking at all of a long
  /// text takes long, and is not what is tested.
  private static func recurrentLayers(
    of architecture: SyntheticModel.Architecture
  ) throws -> SyntheticModel {
    var shape = SyntheticModel(architecture)
    shape.layerCount =
      try shape.description().layers.prefix { $0.mixer?.attentionShape == nil }.count
    return shape
  }

  /// The kinds of mixers among layers that keep a state of fixed size.
  private static func kinds(_ description: ModelDescription) -> Set<String> {
    Set(
      description.layers.compactMap(\.mixer).filter { $0.state != nil }
        .compactMap { Mirror(reflecting: $0).children.first?.label })
  }

  @Test func everyKindOfStateIsAmongTheFirstLayers() throws {
    let all = try SyntheticModel.Architecture.allCases.map {
      Self.kinds(try SyntheticModel($0).description())
    }
    let first = try Self.architectures.map {
      Self.kinds(try Self.recurrentLayers(of: $0).description())
    }
    #expect(first.reduce([]) { $0.union($1) } == all.reduce([]) { $0.union($1) })
    #expect(first.allSatisfy { !$0.isEmpty })
  }

  /// A rounding that depended on the chunk would grow over thousands of rows. Of two texts of the
  /// chunk of 64 one is saved and restored on its way, and goes on in chunks that begin elsewhere.
  @Test(arguments: architectures)
  func chunksOfAnySizeLeaveTheSameBits(_ architecture: SyntheticModel.Architecture) throws {
    let tokens = Self.tokens(16_000)
    // Thousands of tiny steps: two workers would mostly wait for each other on a busy machine.
    let parts = try Parts(
      Self.recurrentLayers(of: architecture), contextLength: tokens.count, workerCount: 1)
    let (chunks, middle) = ([1, 64, 2_048], 8_010)
    let results = try chunks.map { chunk in
      let decoder = try parts.decoder(chunk: chunk)
      return try decoder.withSequence { sequence in
        try Self.run(tokens[...], of: sequence, decoder, chunk: chunk)
      }
    }
    #expect(results[0].rows.count == tokens.count * parts.model.description.hiddenSize)
    for (chunk, result) in zip(chunks, results).dropFirst() {
      #expect(result.rows == results[0].rows, "chunks of \(chunk)")
      #expect(result.saved == results[0].saved, "chunks of \(chunk)")
    }

    let decoder = try parts.decoder(chunk: 64)
    let half = try decoder.withSequence {
      try Self.run(tokens[..<middle], of: $0, decoder, chunk: 64)
    }
    let rest = try decoder.withSequence { sequence in
      try decoder.restore(half.saved, into: sequence)
      return try Self.run(tokens[middle...], of: sequence, decoder, chunk: 64)
    }
    #expect(half.rows + rest.rows == results[0].rows)
    #expect(rest.saved == results[0].saved)
  }

  /// The bits of all rows behind the last layer, and what the sequence keeps at the end.
  private static func run(
    _ tokens: ArraySlice<Int32>, of sequence: SequenceState, _ decoder: Decoder, chunk: Int
  ) throws -> (rows: [UInt32], saved: [UInt8]) {
    let recorder = RowRecorder(layer: decoder.description.layerCount - 1)
    decoder.observer = recorder
    for start in stride(from: tokens.startIndex, to: tokens.endIndex, by: chunk) {
      let part = tokens[start..<min(start + chunk, tokens.endIndex)]
      try decoder.forward(part, of: sequence, phase: chunk == 1 ? .decode : .prefill)
    }
    #expect(decoder.lastLogits().array().allSatisfy { $0.isFinite })
    return (recorder.values.map(\.bitPattern), decoder.save(sequence))
  }

  /// Whatever layer a step came to, its rows can be tried again, and so can those of the sequences
  /// that shared it.
  @Test(arguments: architectures)
  func aStepThatFailedHasChangedNothing(_ architecture: SyntheticModel.Architecture) throws {
    let parts = try Parts(architecture, contextLength: 128)
    let decoder = try parts.decoder(chunk: 24, sequenceCount: 2)
    let tokens = Self.tokens(40)
    let (first, second) = (
      try #require(decoder.beginSequence()), try #require(decoder.beginSequence())
    )
    func run(failingAfter layer: Int?) throws -> [[UInt8]] {
      decoder.cut(first)
      decoder.cut(second)
      for start in [0, 11, 12, 30] {
        let end = [0: 11, 11: 12, 12: 30, 30: 40][start] ?? start
        let inputs = [
          StepInput(first, tokens[start..<end], phase: .prefill),
          StepInput(second, tokens[start..<start + 1], phase: .decode),
        ]
        if let layer {
          let canceller = LayerCanceller(afterLayer: layer)
          decoder.observer = canceller
          #expect(throws: CancellationError.self) {
            try decoder.forward(inputs, cancellation: canceller.flag)
          }
          decoder.observer = nil
          #expect(first.position == start && first.isIntact && second.isIntact)
        }
        try decoder.forward(inputs)
      }
      return [decoder.save(first), decoder.save(second)]
    }
    let expected = try run(failingAfter: nil)
    for layer in -1..<parts.model.description.layerCount - 1 {
      #expect(try run(failingAfter: layer) == expected, "after layer \(layer)")
    }
  }

  @Test(arguments: architectures)
  func aStateIsOfItsOwnPositionAlone(_ architecture: SyntheticModel.Architecture) throws {
    let parts = try Parts(architecture, contextLength: 128)
    let decoder = try parts.decoder(chunk: 16)
    let tokens = Self.tokens(30)
    try decoder.withSequence { sequence in
      try decoder.forward(tokens[..<16], of: sequence, phase: .prefill)
      #expect(!decoder.cut(sequence, to: 15) && sequence.position == 16)
      #expect(decoder.cut(sequence, to: 16) && sequence.position == 16)
      try decoder.forward(tokens[16...], of: sequence, phase: .prefill)
      let saved = decoder.save(sequence)
      #expect(decoder.cut(sequence) && sequence.position == 0)
      try decoder.forward(tokens[..<16], of: sequence, phase: .prefill)
      try decoder.forward(tokens[16...], of: sequence, phase: .prefill)
      #expect(decoder.save(sequence) == saved)
    }
  }

  /// However long the texts, a sequence has two states, and the plan's bytes are those.
  @Test(arguments: architectures)
  func statesTakeTheSameHoweverLongATextIs(
    _ architecture: SyntheticModel.Architecture
  ) throws {
    let parts = try Parts(architecture, contextLength: 4_096)
    let layouts = [64, 4_096].map {
      StateLayout(parts.model.description, contextLength: $0, sequenceCount: 3, type: .f16)
    }
    let groups = try layouts.map { try #require($0.groups.first { $0.isRecurrent }) }
    for (layout, group) in zip(layouts, groups) {
      #expect(group.pageByteStride >= layout.stateByteCountPerSequence)
      #expect(group.pageCount == 6 && group.pageCount(positions: 0) == 0)
      #expect(group.pageCount(positions: 1) == 2)
      #expect(group.pageCount(positions: layout.contextLength) == 2)
    }
    #expect(layouts[0].stateByteCountPerSequence == layouts[1].stateByteCountPerSequence)
    let kept = parts.model.description.layers.compactMap { $0.mixer?.state }
    #expect(groups[0].layers.count == kept.count)
    #expect(layouts[0].stateByteCountPerSequence == kept.reduce(0) { $0 + $1.byteCount })
  }
}
