import MoEAnalysis
import MoECache
import MoETestSupport
import Testing

/// The figures in the table are replays of recorded traces, computed anew.
@Suite struct RoutingFamilyTests {
  /// The first part of a long trace is enough; the table's figures come from this many tokens.
  private static let tokenCountMax = 4096

  private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

  @Test(arguments: RoutingFamily.all.map(\.trace))
  func holdsWhatTheReplayGives(_ name: String) throws {
    let file = try RoutingTraceFile("real/" + name)
    let family = try #require(RoutingFamily.all.first { $0.trace == name })
    let count = min(file.tokenCount, Self.tokenCountMax)
    let trace = RoutingTrace(
      layerCount: file.layerCount, expertsPerToken: file.expertsPerToken,
      experts: Array(file.trace.experts.prefix(count * file.layerCount * file.expertsPerToken)))
    let layer = LayerGeometry(expertCount: file.expertCount, sizeClass: 0)
    var rates: [Double] = []
    for multiple in RoutingFamily.slotMultiples {
      let slotCount = Int(multiple * Double(trace.expertsPerToken))
      if slotCount >= file.expertCount { break }
      let geometry = CacheGeometry(
        layers: Array(repeating: layer, count: trace.layerCount),
        slotCounts: [slotCount * trace.layerCount])
      let replay = CacheReplay(trace, geometry: geometry, policy: PolicyRegistry.defaultEntry)
      rates.append(rounded(replay.hitRate))
    }
    #expect(family.hitRates == rates)
    let distinct = DistinctExperts(trace, expertCount: file.expertCount)
    #expect(family.distinctShares == distinct.points.map { rounded($0.share) })
    #expect(
      family.expertsPerChoice == Double(file.expertCount) / Double(file.expertsPerToken))
  }

  @Test func matchesArchitecturesAndIsCarefulWithUnknownOnes() {
    #expect(RoutingFamily.matching("qwen3moe").trace == "qwen3-30b-a3b-chat")
    #expect(RoutingFamily.matching("gpt-oss").trace == "gpt-oss-20b-mmlu")
    let unknown = RoutingFamily.matching("new")
    #expect(RoutingFamily.all.allSatisfy { $0.hitRates[2] >= unknown.hitRates[2] })
  }

  @Test(arguments: RoutingFamily.all.map(\.trace))
  func moreSlotsNeverHitLess(_ name: String) throws {
    let family = try #require(RoutingFamily.all.first { $0.trace == name })
    for (expertCount, expertsPerToken) in [(64, 8), (128, 8), (8, 2), (32, 4), (512, 10)] {
      let rates = (0...2 * expertCount).map {
        family.hitRate(
          slotsPerLayer: Double($0) / 2, expertsPerToken: expertsPerToken,
          expertCount: expertCount)
      }
      #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 <= $1 })
      #expect(rates[0] == 0 && rates[2 * expertCount] == 1)
    }
  }
}
