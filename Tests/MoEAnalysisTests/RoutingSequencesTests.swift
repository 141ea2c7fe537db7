import MoEAnalysis
import Testing

@Suite struct RoutingSequencesTests {
  private func problem(
    _ experts: [Int32], layers: Int = 1, of count: Int = 4, perToken: Int = 2,
    starts: [Int] = [0], labels: [String] = [], tokenIDs: [Int32]? = nil
  ) -> String? {
    do throws(RoutingAnalysisError) {
      _ = try RoutingSequences(
        layerCount: layers, expertCount: count, expertsPerToken: perToken, experts: experts,
        sequenceStarts: starts, labels: labels, tokenIDs: tokenIDs)
      return nil
    } catch {
      return error.description
    }
  }

  @Test func refusesWhatIsNoRoutingInOneSentence() {
    let bad: [(String?, String)] = [
      (problem([0, 1, 2]), "do not fill"),
      (problem([0, 1], layers: 0), "at least 1"),
      (problem([0, 1], of: 0), "at least 1"),
      (problem([0, 1], perToken: 0), "at least 1"),
      (problem([0, 1], layers: .max), "do not fill"),
      (problem([0, 4]), "token 0 names expert 4 in layer 0: experts are 0 to 3"),
      (problem([0, 1, 0, -2]), "token 1 names expert -2"),
      (problem([0, 1, 3, 3]), "token 1 names expert 3 twice"),
      (problem([0, 1], starts: []), "must start at token 0"),
      (problem([0, 1], starts: [1]), "must start at token 0"),
      (problem([0, 1, 0, 1], starts: [0, 3]), "ascend to at most 2"),
      (problem([0, 1, 0, 1], starts: [0, 2, 1]), "ascend to at most 2"),
      (problem([0, 1], starts: [0, 1], labels: ["a"]), "one for each"),
      (problem([0, 1], tokenIDs: [1, 2]), "one for each"),
    ]
    for (text, what) in bad {
      #expect(text?.contains(what) == true, "\(text ?? "no problem") should say: \(what)")
      #expect(text?.contains("\n") == false)
    }
    #expect(problem([0, 1, -1, -1]) == nil)
  }

  @Test func leavesOutEmptySequencesWithTheirLabels() throws {
    let routing = try RoutingSequences(
      layerCount: 1, expertCount: 3, expertsPerToken: 1, experts: [0, 1, 2, 0],
      sequenceStarts: [0, 0, 2, 4], labels: ["a", "b", "c", "d"])
    #expect(routing.sequences == [0..<2, 2..<4])
    #expect(routing.labels == ["b", "c"])
    #expect(routing.distinctLabels == ["b", "c"])
    #expect(routing.labelled("c").sequences == [2..<4])
    #expect(routing.labelled("c").tokenCount == 2)
    #expect(routing.labelled("d").sequences.isEmpty)
  }

  @Test func takesATraceAsItIs() throws {
    var trace = RoutingTrace(
      layerCount: 2, expertsPerToken: 1, experts: [0, 3, 1, 2], sequenceStarts: [0, 1])
    (trace.labels, trace.tokenIDs) = (["a", "b"], [7, 9])
    let routing = try RoutingSequences(trace)
    #expect(routing.sequences == [0..<1, 1..<2] && routing.labels == ["a", "b"])
    #expect(routing.tokenIDs == [7, 9])
    #expect(routing.expertCount == 4 && routing.layerCount == 2 && routing.tokenCount == 2)
    #expect(Array(routing.selection(token: 1, layer: 1)) == [2])
    #expect(try RoutingSequences(trace, expertCount: 64).expertCount == 64)
  }

  /// A file may claim as many experts as it likes; what that would take is refused, not tried.
  @Test func refusesTablesThatWouldNotFit() throws {
    #expect(problem([0, 1], of: 1 << 40)?.contains("too large") == true)
    let wide = try RoutingSequences(
      layerCount: 2, expertCount: 1 << 16, expertsPerToken: 1, experts: [0, 65535])
    #expect(ExpertUseCounts(wide).counts.count == 1 << 17)
    #expect(throws: RoutingAnalysisError.self) { try ExpertAffinity(wide) }
    #expect(throws: RoutingAnalysisError.self) {
      try PredictionRecall(wide, predictor: .affinity, training: .causal)
    }
    #expect(throws: RoutingAnalysisError.self) {
      try RoutingConsistency(wide, segmentLength: 1 << 16)
    }
    let many = try RoutingSequences(
      layerCount: 1, expertCount: 1 << 16, expertsPerToken: 1,
      experts: Array(repeating: 0, count: 1 << 13), sequenceStarts: Array(0..<1 << 13))
    #expect(throws: RoutingAnalysisError.self) {
      try HitCurves(many, rule: .lru, conventions: .engine)
    }
    #expect(throws: RoutingAnalysisError.self) { try HitCurves(pinning: many, scope: .pool) }
    #expect(throws: RoutingAnalysisError.self) {
      try SegmentCaching.october.curves(many, segmentLength: 1)
    }
    #expect(throws: RoutingAnalysisError.self) {
      try ExpertLoads(many, layer: 0, tokensPerBatch: 1)
    }
  }
}
