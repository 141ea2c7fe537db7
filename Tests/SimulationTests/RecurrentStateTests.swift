import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
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
      var shape = SyntheticModel(architecture)
      shape.contextLength = contextLength
      model = try SimulatedModel(shape, shape, foreignLayers: [])
      team = try WorkerTeam(workerCount: 2)
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

  /// A rounding that depended on the chunk would grow over thousands of rows.
  @Test(arguments: architectures)
  func chunksOfAnySizeLeaveTheSameBits(_ architecture: SyntheticModel.Architecture) throws {
    let tokens = Self.tokens(2_500)
    let parts = try Parts(architecture, contextLength: tokens.count)
    let results = try [1, 64, 2_048].map { chunk in
      let decoder = try parts.decoder(chunk: chunk)
      return try decoder.withSequence { sequence in
        for start in stride(from: 0, to: tokens.count, by: chunk) {
          let part = tokens[start..<min(start + chunk, tokens.count)]
          try decoder.forward(part, of: sequence, phase: chunk == 1 ? .decode : .prefill)
        }
        let logits = decoder.lastLogits().array()
        #expect(logits.allSatisfy { $0.isFinite })
        return (logits.map(\.bitPattern), decoder.save(sequence))
      }
    }
    for result in results.dropFirst() {
      #expect(result.0 == results[0].0)
      #expect(result.1 == results[0].1)
    }
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
