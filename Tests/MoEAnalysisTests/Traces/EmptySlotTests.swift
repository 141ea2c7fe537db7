import Foundation
import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

/// Traces of tokens that take fewer experts than there is room for.
@Suite struct EmptySlotTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { folder.url.appending(path: name).path }

  /// A random trace, most of whose selections lose their last experts.
  private func holedTrace(seed: UInt64) -> RoutingTrace {
    let whole = randomTrace(seed: seed)
    var random = SeededGenerator(seed: seed)
    var (experts, weights) = (whole.experts, whole.weights)
    let k = whole.expertsPerToken
    for first in stride(from: 0, to: experts.count, by: k) {
      for index in first + Int.random(in: 1...k, using: &random)..<max(first + k, first + 1)
      where index < first + k {
        experts[index] = -1
        weights?[index] = 0
      }
    }
    var trace = RoutingTrace(
      metadata: whole.metadata, experts: experts, sequenceStarts: whole.sequenceStarts)
    (trace.weights, trace.logits, trace.tokenIDs) = (weights, whole.logits, whole.tokenIDs)
    (trace.phases, trace.labels, trace.passStarts) = (
      whole.phases, whole.labels, whole.passStarts
    )
    return trace
  }

  @Test func bothKindsOfFileKeepThem() throws {
    var holedCount = 0
    for seed in 0..<120 as Range<UInt64> {
      let trace = holedTrace(seed: seed)
      holedCount += trace.hasEmptySlots ? 1 : 0
      for name in ["a.moetrace", "a.npz"] {
        try trace.write(to: path(name))
        let read = try RoutingTrace(contentsOf: path(name))
        #expect(read.experts == trace.experts && read.weights == trace.weights, "seed \(seed)")
        #expect(read.logits == trace.logits && read.tokenIDs == trace.tokenIDs, "seed \(seed)")
        #expect(read.meanExpertCount == trace.meanExpertCount, "seed \(seed)")
      }
      for token in 0..<trace.tokenCount {
        for layer in 0..<trace.layerCount {
          let selection = trace.selection(token: token, layer: layer)
          #expect(!selection.isEmpty && selection.allSatisfy { $0 >= 0 }, "seed \(seed)")
        }
      }
      // Nothing that reads traces trips over them.
      let statistics = TraceStatistics(trace)
      let requests = trace.experts.count { $0 >= 0 }
      #expect(statistics.layers.reduce(0) { $0 + $1.requestCount } == requests, "seed \(seed)")
      _ = DistinctExperts(trace, expertCount: trace.expertCount)
    }
    #expect(holedCount > 60)
  }

  /// One token of one layer with 3 slots, 2 of them empty, put together by hand.
  @Test(arguments: [(255, [UInt8(7), 255, 255]), (256, [7, 0, 255, 255, 255, 255])])
  func emptySlotsHaveTheNumberWithAllBitsSet(_ expertCount: Int, _ numbers: [UInt8]) throws {
    var sample = TraceBytes()
    sample.header = """
      {"experts": \(expertCount), "k": 3, "layers_logged": [0], "holds": ["weights", "empty_slots"]}
      """
    let weights: [Float16] = [0.5, 0, 0]
    sample.blocks =
      TraceBytes.sequence("")
      + TraceBytes.pass(phase: 1, ids: [], records: [(numbers, weights)], tokenCount: 1)
    sample.endTokenCount = 1
    try Data(sample.bytes).write(to: URL(fileURLWithPath: path("a.moetrace")))
    let trace = try RoutingTrace(contentsOf: path("a.moetrace"))
    #expect(trace.experts == [7, -1, -1] && trace.hasEmptySlots)
    #expect(Array(trace.selection(token: 0, layer: 0)) == [7] && trace.meanExpertCount == 1)
    // And so they are written.
    try trace.write(to: path("b.moetrace"))
    let written = try Data(contentsOf: URL(fileURLWithPath: path("b.moetrace")))
    #expect(written.range(of: Data(numbers + weights.flatMap { little($0) })) != nil)
  }

  private func little(_ value: Float16) -> [UInt8] { TraceBytes.little(value.bitPattern) }

  /// Experts of a selection of 4 of 9, and what is wrong with them.
  @Test(arguments: [
    ([-1, -1, -1, -1], "takes expert -1"), ([0, -1, 1, -1], "empty slot before its last expert"),
    ([-1, 0, 1, 2], "takes expert -1"), ([0, 1, 1, -1], "twice"), ([0, -2, -1, -1], "below 0"),
  ])
  func selectionsWithGapsAreRefused(_ experts: [Int16], _ expected: String) throws {
    let archive = NumpyArchive.experts([8, 3, 2, 1] + experts, shape: [2, 1, 4])
    try Data(archive).write(to: URL(fileURLWithPath: path("a.npz")))
    let error = #expect(throws: RoutingTraceError.self) {
      try RoutingTrace(contentsOf: path("a.npz"))
    }
    let text = error?.description ?? ""
    #expect(text.contains(expected) && !text.contains("\n"), "\(text)")
  }

  @Test func withoutTheirMentionEverySlotIsTaken() throws {
    let writer = try RoutingTraceWriter(
      path: path("a.moetrace"),
      metadata: RoutingTraceMetadata(expertCount: 1 << 16, expertsPerToken: 2, layers: [0]),
      contents: RoutingTraceContents())
    writer.beginPass(tokenCount: 1, phase: nil)
    writer.addSelection(expert: { 65535 - $0 }, weight: { _ in 0 }, logit: { _ in 0 })
    writer.endPass()
    try writer.finish()
    #expect(try RoutingTrace(contentsOf: path("a.moetrace")).experts == [65535, 65534])
    var contents = RoutingTraceContents()
    contents.emptySlots = true
    let error = #expect(throws: RoutingTraceWriteError.self) {
      _ = try RoutingTraceWriter(
        path: path("a.moetrace"),
        metadata: RoutingTraceMetadata(expertCount: 1 << 16, expertsPerToken: 2, layers: [0]),
        contents: contents)
    }
    #expect(error?.description.contains("no number is left for an empty slot") == true)
  }
}
