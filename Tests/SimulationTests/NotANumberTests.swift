import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Weights that are no numbers: nothing can be right then, but everything must end.
@Suite struct NotANumberTests {
  @Test(arguments: SyntheticModel.Architecture.allCases)
  func expertsOfNaNsEndARunLikeAnyOther(_ architecture: SyntheticModel.Architecture) throws {
    var shape = SyntheticModel(architecture)
    shape.layerCount = 3
    shape.expertsPerToken = 4
    let model = try SimulatedModel(shape, shape, foreignLayers: [])
    let layout = model.tensors.experts
    var contents = model.contents
    // The next layer's router is the first to see what the first experts make.
    let routed = layout.routedLayers
    for extent in layout.layers[routed[0]].parts.flatMap(\.runs) {
      for offset in extent.offset..<extent.offset + extent.byteCount {
        contents[extent.fileIndex][offset] = 0xFF
      }
    }
    let team = try WorkerTeam(workerCount: 2)
    let experts = try OffloadedExperts(
      layout,
      reader: try ExtentReader(
        backend: MemoryBackend(contents: contents, depth: 4), files: model.files),
      team: team, poolByteCount: PoolLayout(layout).floorByteCount)
    let decoder = try model.decoder(
      experts, team: team, chunk: 8, contextLength: 32, kvType: .f16)
    let sequence = try #require(decoder.beginSequence())
    try decoder.forward([1, 2, 3, 4, 5, 6, 7, 8], of: sequence, phase: .prefill)
    for token: Int32 in 1...10 { try decoder.forward([token], of: sequence, phase: .decode) }
    #expect(sequence.position == 18)
    #expect(decoder.lastLogits().array().allSatisfy { $0.isNaN })
    #expect((0..<experts.slotCount).allSatisfy { !experts.cache.table.isPinned($0) })
    // Every token still takes as many different experts as it should.
    #expect(experts.statistics.decode.requestCount == 10 * routed.count * 4)
  }
}
