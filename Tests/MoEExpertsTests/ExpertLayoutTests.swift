import MoECore
import MoEExperts
import MoEKernels
import MoESynthetic
import MoETestSupport
import Testing

/// Where an expert's parts lie in a file, and which of their bytes are its weights.
@Suite struct ExpertLayoutTests {
  private static let f32 = QuantFormat.all.first { $0.name == "F32" }

  private func part(
    _ role: ExpertPartRole, rows: Int, columns: Int, storage: ExpertPart.Storage
  ) throws -> ExpertPart {
    ExpertPart(
      role, name: "\(role)", format: try #require(Self.f32), rowCount: rows, columnCount: columns,
      storage: storage)
  }

  private func extent(_ offset: Int, _ byteCount: Int) -> FileExtent {
    FileExtent(fileIndex: 0, offset: offset, byteCount: byteCount)
  }

  @Test func expertsOfAStackFollowEachOther() throws {
    let up = try part(.up, rows: 2, columns: 3, storage: .stack(extent(100, 96)))
    #expect(up.expertCount == 4 && up.slotByteCount == 24 && up.storedByteCount == 24)
    #expect((0..<4).map { up.extent(ofExpert: $0).offset } == [100, 124, 148, 172])
    #expect(up.runs == [extent(100, 96)])
  }

  @Test func expertsInTensorsOfTheirOwnLieWhereTheseDo() throws {
    let places = [extent(500, 24), extent(12, 24), extent(300, 24)]
    let up = try part(.up, rows: 2, columns: 3, storage: .single(places))
    #expect(up.expertCount == 3 && (0..<3).map { up.extent(ofExpert: $0) } == places)
    #expect(up.runs == places)
  }

  @Test func halvesOfAFusedPartAreGateAndUp() throws {
    let layer = ExpertLayer(
      expertCount: 1, expertsPerToken: 1,
      parts: [
        try part(.gateUp, rows: 4, columns: 3, storage: .stack(extent(0, 48))),
        try part(.down, rows: 3, columns: 2, storage: .stack(extent(48, 24))),
        try part(.gateUpBias, rows: 1, columns: 4, storage: .stack(extent(72, 16))),
      ])
    let memory = try AlignedBuffer(byteCount: 88)
    for index in 0..<22 { memory.floats(count: 22)[index] = Float(index) }
    let starts = [0, 48, 72]
    let weights = ExpertWeights(layer, expert: 0) {
      memory.bytes(atOffset: starts[$0], count: layer.parts[$0].slotByteCount)
    }
    func floats(_ matrix: QuantizedMatrix?) throws -> [Float] {
      let matrix = try #require(matrix)
      let count = matrix.rowCount * matrix.columnCount
      return unsafe FloatView(
        matrix.bytes.pointer.assumingMemoryBound(to: Float.self), count: count
      ).array()
    }
    #expect(try floats(weights.gate) == [0, 1, 2, 3, 4, 5])
    #expect(try floats(weights.up) == [6, 7, 8, 9, 10, 11])
    #expect(try floats(weights.down) == [12, 13, 14, 15, 16, 17])
    #expect(weights.gateBias?.array() == [18, 19] && weights.upBias?.array() == [20, 21])
    #expect(weights.downBias == nil)
    withExtendedLifetime(memory) {}
  }

  @Test func figuresAreSumsOverTheLayersThatHaveExperts() throws {
    let placed = PlacedExperts(seed: 3, forms: [.dense, .stacked, .dense, .fusedAndBiased])
    let layout = placed.layout
    #expect(layout.routedLayers == [1, 3])
    #expect(layout.layers.map(\.expertCount) == placed.expected.map(\.count))
    #expect(layout.partCountMax == 4 && layout.layers[1].parts.count == 3)
    let sizes = placed.expected.map { experts in
      experts.map {
        ($0.gate?.count ?? 0) + $0.up.count + $0.down.count + ($0.gateBias?.count ?? 0)
          + ($0.upBias?.count ?? 0) + ($0.downBias?.count ?? 0)
      }
    }
    #expect(layout.byteCount == sizes.flatMap(\.self).reduce(0, +))
    #expect(
      layout.byteCountPerToken
        == sizes[1][0] * layout.layers[1].expertsPerToken
        + sizes[3][0] * layout.layers[3].expertsPerToken)
  }

  @Test func anotherFormatKeepsPlacesAndChangesSizes() throws {
    let f16 = try #require(QuantFormat.all.first { $0.name == "F16" })
    let stack = try part(.up, rows: 2, columns: 4, storage: .stack(extent(100, 96)))
      .converted(to: f16)
    #expect(stack.expertCount == 3 && stack.slotByteCount == 16)
    #expect(stack.runs == [extent(100, 48)])
    let single = try part(
      .up, rows: 1, columns: 2, storage: .single([extent(8, 8), extent(40, 8)])
    )
    .converted(to: f16)
    #expect(single.runs == [extent(8, 4), extent(40, 4)])
  }

  @Test func partsThatAreNoExpertAreRefused() async {
    await #expect(processExitsWith: .failure) {
      let f32 = try #require(QuantFormat.all.first { $0.name == "F32" })
      let up = ExpertPart(
        .up, name: "up", format: f32, rowCount: 1, columnCount: 1,
        storage: .stack(FileExtent(fileIndex: 0, offset: 0, byteCount: 4)))
      _ = ExpertLayer(expertCount: 1, expertsPerToken: 1, parts: [up])
    }
    await #expect(processExitsWith: .failure) {
      let f32 = try #require(QuantFormat.all.first { $0.name == "F32" })
      _ = ExpertPart(
        .up, name: "up", format: f32, rowCount: 1, columnCount: 2,
        storage: .stack(FileExtent(fileIndex: 0, offset: 0, byteCount: 12)))
    }
  }
}
