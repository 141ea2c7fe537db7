import MoEAnalysis
import Testing

@Suite struct StructureTests {
  // MARK: Popularity

  @Test func countsUsesOfTheExample() throws {
    let uses = ExpertUseCounts(try RoutingSamples.example())
    #expect(Array(uses.uses(layer: 0)) == [4, 4, 5, 3])
    #expect(uses.tokenCount == 8)
    #expect(uses.expertsCovering(0.5, layer: 0) == 2)
    #expect(uses.expertsCovering(0.9, layer: 0) == 4)
    #expect(uses.expertsCovering(0, layer: 0) == 0)
    #expect(uses.expertsCovering(1, layer: 0) == 4)
    // -(2 * 0.25 log2 0.25 + 5/16 log2 5/16 + 3/16 log2 3/16)
    #expect(abs(uses.entropyBits(layer: 0) - 1.977218) < 1e-6)
    #expect(abs(uses.normalizedEntropy - 1.977218 / 2) < 1e-6)
    let squares = 16.0 + 16.0 + 25.0 + 9.0
    #expect(uses.independentOverlap(expertsPerToken: 2) == squares / 128)
  }

  @Test func evenUseHasFullEntropy() throws {
    let even = ExpertUseCounts(try RoutingSamples.routing("0 1 2 3", expertCount: 4))
    #expect(even.entropyBits(layer: 0) == 2 && even.normalizedEntropy == 1)
    #expect(even.expertsCovering(0.5, layer: 0) == 2)
    let single = ExpertUseCounts(try RoutingSamples.routing("2 2 2", expertCount: 4))
    #expect(single.entropyBits(layer: 0) == 0 && single.expertsCovering(0.9, layer: 0) == 1)
  }

  // MARK: Reuse

  @Test func distancesAreInTokensWithinASequence() throws {
    let routing = try RoutingSamples.routing(
      "01 01 02 02 12 13 23 23", expertCount: 4, sequenceStarts: [0, 6])
    let distances = ReuseDistances(routing)
    // 0: 1 1 1; 1: 1 3 1; 2: 1 1; 3: none; then 2 and 3 anew, each again after 1.
    #expect(distances.counts == [9, 0, 1, 0, 0])
    #expect(distances.firstUseCount == 6)
    #expect(distances.reuseCount == 10)
    #expect(distances.share(within: 1) == 9.0 / 16)
    #expect(distances.share(within: 0) == 0 && distances.share(within: 99) == 10.0 / 16)
    #expect(distances.median == 1)
    #expect(distances.doublingBuckets.map(\.last) == [1, 2, 4, 8])
    #expect(distances.doublingBuckets.map(\.count) == [9, 0, 1, 0])
    #expect(ReuseDistances(routing, layer: 0) == distances)
  }

  @Test func reuseAndOverlapAgreeWithSearchingBack() throws {
    for seed in 0..<30 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed, RoutingSamples.Shape(isRagged: seed % 2 == 0))
      var (counts, first) = ([Int: Int](), 0)
      var overlaps = [Int: (shared: Int, wanted: Int)]()
      for tokens in routing.sequences {
        for token in tokens {
          for layer in 0..<2 {
            for expert in routing.selection(token: token, layer: layer) where expert >= 0 {
              let before = (tokens.lowerBound..<token).last {
                routing.selection(token: $0, layer: layer).contains(expert)
              }
              if let before { counts[token - before, default: 0] += 1 } else { first += 1 }
              for lag in [1, 2, 5] where tokens.contains(token - lag) {
                let isShared = routing.selection(token: token - lag, layer: layer).contains(expert)
                overlaps[lag, default: (0, 0)].wanted += 1
                overlaps[lag, default: (0, 0)].shared += isShared ? 1 : 0
              }
            }
          }
        }
      }
      let distances = ReuseDistances(routing)
      #expect(distances.firstUseCount == first, "seed \(seed)")
      for (index, count) in distances.counts.enumerated() {
        #expect(count == counts[index + 1] ?? 0, "seed \(seed)")
      }
      #expect(CompulsoryMisses(routing).restarted == first, "seed \(seed)")
      for (lag, overlap) in overlaps {
        #expect(
          routing.overlap(lag: lag) == Double(overlap.shared) / Double(overlap.wanted),
          "seed \(seed)")
      }
    }
    #expect(try RoutingSamples.example().overlap(lag: 0) == nil)
    #expect(try RoutingSamples.example().overlap(lag: 8) == nil)
  }

  // MARK: What must be read

  @Test func chunksAreCutFromEachSequencesStart() throws {
    let routing = try RoutingSamples.routing(
      "01 01 02 02 12 13 23 23", expertCount: 4, sequenceStarts: [0, 3])
    let union = try #require(ChunkUnion(routing, chunkLength: 2))
    // 01 01 | (02) || 02 12 | 13 23 | (23)
    #expect(union.chunkCount == 3 && union.least == 2 && union.most == 3)
    let distinct = 2.0 + 3.0 + 3.0
    #expect(union.mean == distinct / 3)
    #expect(union.readsPerUse == 8.0 / 12)
    #expect(union.evenMean == 3)
    #expect(
      ChunkUnion(routing, chunkLength: 6) == nil && ChunkUnion(routing, chunkLength: 0) == nil)
    #expect(ChunkUnion.doubling(routing).map(\.chunkLength) == [1, 2, 4])
    #expect(ChunkUnion.doubling(routing).map(\.mean)[0] == 2)
  }

  @Test func firstUsesCannotBeAvoided() throws {
    let routing = try RoutingSamples.routing(
      "01 01 02 02 12 13 23 23", expertCount: 4, sequenceStarts: [0, 4])
    let misses = CompulsoryMisses(routing)
    #expect(misses.continued == 4 && misses.restarted == 3 + 3 && misses.requestCount == 16)
    let curve = try HitCurves(routing, rule: .belady, conventions: .engine).total
    #expect(curve.compulsoryMissCount == misses.continued)
    #expect(
      try HitCurves(routing, rule: .lru, conventions: .december).total.compulsoryMissCount
        == misses.restarted)
  }

  // MARK: Specialisation

  @Test func domainsVaryAsComputedByHand() throws {
    let routing = try RoutingSequences(
      layerCount: 1, expertCount: 3, expertsPerToken: 1,
      experts: [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0], sequenceStarts: [0, 4, 8],
      labels: ["a", "b", "c"])
    let plain = try DomainSpecialisation(routing, segmentLength: 1)
    // Expert 0: rates 3/4, 1/4, 1; mean 2/3, deviation sqrt((1/144 + 25/144 + 16/144) / 2).
    let squares = 1.0 + 25.0 + 16.0
    let wanted = (squares / 288).squareRoot() * 1.5
    #expect(abs(try #require(plain.variations[0]) - wanted) < 1e-12)
    // Expert 1: 1/4 and 3/4; where it is never used it does not count.
    let second = try #require(plain.variations[1])
    #expect(abs(second - 0.125.squareRoot() / 0.5) < 1e-12)
    #expect(plain.variations[2] == nil)
    #expect(plain.meanVariation(layer: 0) == plain.meanVariation)
    #expect(plain.labels == ["a", "b", "c"])
    let long = try DomainSpecialisation(routing, segmentLength: 5)
    #expect(long.meanVariation == nil && long.rates.allSatisfy { $0 == nil })
  }

  @Test func domainRatesAreThoseOfSegments() throws {
    for seed in 0..<10 as Range<UInt64> {
      let routing = try RoutingSamples.random(
        seed: seed, RoutingSamples.Shape(tokenCount: 120, sequenceCount: 4))
      let found = try DomainSpecialisation(routing, segmentLength: 8)
      for (label, rates) in zip(found.labels, found.rates) {
        let segments = try RoutingConsistency(
          routing.labelled(label), segmentLength: 8, bootstrap: nil)
        #expect((rates == nil) == segments.experts.isEmpty)
        for (rate, group) in zip(rates ?? [], segments.experts) {
          #expect(abs(rate - group.router.activationRate) < 1e-12, "seed \(seed)")
        }
      }
    }
  }

  @Test func kindsOfTokenBelongToTheirFirstChoice() throws {
    // Token 7 goes to expert 0 three times of four, token 8 always to 1, token 9 is too rare.
    let routing = try RoutingSequences(
      layerCount: 1, expertCount: 3, expertsPerToken: 2,
      experts: [0, 2, 0, 2, 0, 1, 1, 0, 1, 2, 1, 2, 2, 0],
      tokenIDs: [7, 7, 7, 7, 8, 8, 9])
    let input = try VocabularySpecialisation(routing, occurrencesMin: 2)
    #expect(input.tokenKindCount == 2)
    #expect(input.meanShares == [0.75, 1, nil])
    // Rates of expert 2: 2/4 and 2/2.
    let variation = try #require(input.variations[2])
    #expect(abs(variation - 0.125.squareRoot() / 0.75) < 1e-12)
    // Attributed to the token that follows: 7 7 7 8 8 9.
    let output = try VocabularySpecialisation(routing, side: .output, occurrencesMin: 2)
    #expect(output.meanShares == [1, 1, nil])
    #expect(VocabularySpecialisation.mean(input.meanShares) == 0.875)
    #expect(throws: RoutingAnalysisError.self) {
      try VocabularySpecialisation(RoutingSamples.example())
    }
  }

  // MARK: Prompt sets

  @Test func promptSetsOverlapAsFarAsTheyShareExperts() throws {
    let example = ExpertUseCounts(try RoutingSamples.example())
    let same = try #require(PromptOverlap(example, example))
    #expect(same.hotExperts == 1 && abs(same.sharedUse - 1) < 1e-12)
    #expect(abs(same.cosine - 1) < 1e-12)
    let left = ExpertUseCounts(try RoutingSamples.routing("0 0 0 1", expertCount: 4))
    let right = ExpertUseCounts(try RoutingSamples.routing("1 1 2 2", expertCount: 4))
    let partly = try #require(PromptOverlap(left, right))
    #expect(partly.hotExperts == 1.0 / 3 && partly.sharedUse == 0.25)
    let cosine = 0.125 / 0.3125.squareRoot()
    #expect(abs(partly.cosine - cosine) < 1e-12)
    let other = ExpertUseCounts(try RoutingSamples.routing("3", expertCount: 4))
    #expect(PromptOverlap(left, other)?.cosine == 0)
    let wide = ExpertUseCounts(try RoutingSamples.routing("3", expertCount: 5))
    #expect(PromptOverlap(left, wide) == nil)
  }

  // MARK: Edges

  @Test func tracesAtTheEdgeHaveSensibleValues() throws {
    for (name, routing) in try RoutingSamples.degenerate() {
      let uses = ExpertUseCounts(routing)
      for layer in 0..<routing.layerCount {
        #expect(uses.entropyBits(layer: layer) >= 0, "\(name)")
        #expect((0...routing.expertCount).contains(uses.expertsCovering(0.9, layer: layer)))
      }
      #expect((0...1).contains(uses.normalizedEntropy), "\(name)")
      #expect(uses.independentOverlap(expertsPerToken: 1).isFinite)
      let distances = ReuseDistances(routing)
      #expect((distances.median == nil) == (distances.reuseCount == 0), "\(name)")
      #expect(routing.overlap(lag: 1).map { (0...1).contains($0) } ?? true)
      #expect(ChunkUnion.doubling(routing).allSatisfy { $0.mean.isFinite && $0.evenMean.isFinite })
      #expect(try DomainSpecialisation(routing).meanVariation == nil)
      let vocabulary = try VocabularySpecialisation(routing, side: .output, occurrencesMin: 1)
      #expect(vocabulary.meanShares.count == routing.layerCount * routing.expertCount, "\(name)")
      let overlap = PromptOverlap(uses, uses)
      #expect((overlap == nil) == (routing.tokenCount == 0), "\(name)")
    }
  }
}
