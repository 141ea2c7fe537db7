#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Which experts which kinds of text use, layer by layer.
package struct ExpertUseReport: Sendable, Equatable, Encodable {
  package struct Domain: Sendable, Equatable, Encodable {
    /// The text's label; empty where nobody said.
    package var label: String
    package var tokens: Int
    package var sequences: Int
    /// SRP of segments of 16 tokens; nil where no sequence is long enough.
    package var consistency: Double?
    /// Entropy of use over that of even use, the mean over layers.
    package var normalizedEntropy: Double
    /// (layer, expert): share of the layer's uses, to five places.
    package var shares: [[Double]]
  }

  /// In the order of their first sequence; of more than `domainCountMax` those with most tokens.
  package let domains: [Domain]
  /// Labels that are left out.
  package let omittedCount: Int
  /// (domain, domain): what two have in common, from 0 to 1: the sum over experts of the lesser
  /// share of use, the mean over layers.
  package let sharedUse: [[Double]]
  /// Entropy of use over that of even use, all texts together.
  package let normalizedEntropy: Double
  /// (layer): the same by layer.
  package let layerEntropies: [Double]
  /// (layer): the fewest experts that make up nine tenths of its uses.
  package let hotExperts: [Int]
  /// How much experts keep to kinds of text: the coefficient of variation of their rates over the
  /// domains (arXiv 2505.16056), the mean over experts; nil unless there are 2 to 100.
  package let domainVariation: Double?

  package static let domainCountMax = 12

  init(_ routing: RoutingSequences) throws(RoutingAnalysisError) {
    let labels = routing.distinctLabels
    var tokenCounts: [String: Int] = [:]
    for (label, tokens) in zip(routing.labels, routing.sequences) {
      tokenCounts[label, default: 0] += tokens.count
    }
    let largest = labels.sorted { (tokenCounts[$1] ?? 0) < (tokenCounts[$0] ?? 0) }
    let kept = Set(largest.prefix(Self.domainCountMax))
    omittedCount = labels.count - kept.count
    let all = ExpertUseCounts(routing)
    normalizedEntropy = all.normalizedEntropy
    let even = ExpertUseReport.evenBits(routing.expertCount)
    layerEntropies = (0..<routing.layerCount).map {
      even > 0 ? all.entropyBits(layer: $0) / even : 1
    }
    hotExperts = (0..<routing.layerCount).map { all.expertsCovering(0.9, layer: $0) }
    var (domains, uses): ([Domain], [ExpertUseCounts]) = ([], [])
    for label in labels where kept.contains(label) {
      let part = routing.labelled(label)
      let counts = ExpertUseCounts(part)
      let consistency = try RoutingConsistency(part, segmentLength: 16, bootstrap: nil)
      uses.append(counts)
      domains.append(
        Domain(
          label: label, tokens: part.tokenCount, sequences: part.sequences.count,
          consistency: consistency.model?.router.performance,
          normalizedEntropy: counts.normalizedEntropy,
          shares: (0..<routing.layerCount).map { layer in
            counts.shares(layer: layer).map { ($0 * 1e5).rounded() / 1e5 }
          }))
    }
    self.domains = domains
    sharedUse = uses.map { first in
      uses.map { PromptOverlap(first, $0)?.sharedUse ?? 0 }
    }
    domainVariation =
      (2...100).contains(labels.count)
      ? try DomainSpecialisation(routing, segmentLength: 1).meanVariation : nil
  }

  /// log2 of the experts.
  private static func evenBits(_ expertCount: Int) -> Double {
    expertCount > 1 ? log2(Double(expertCount)) : 0
  }
}
