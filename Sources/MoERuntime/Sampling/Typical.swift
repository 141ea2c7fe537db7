#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Locally typical sampling (arXiv 2202.00666): keeps the tokens whose surprise is nearest to the
/// distribution's entropy, up to a total probability.
package struct Typical: SamplerStage {
  private let probability: Float

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.typicalP < 1 ? Typical(probability: options.typicalP) : nil
  }

  package func apply(to candidates: inout Candidates, step: SamplerStep) {
    guard candidates.largest.isFinite else { return }
    let probabilities = candidates.probabilities()
    let surprises = probabilities.map { $0 > 0 ? -log($0) : Double.infinity }
    let entropy = zip(probabilities, surprises).reduce(0.0) { sum, pair in
      pair.0 > 0 ? sum + pair.0 * pair.1 : sum
    }
    // Of equals the one that comes first.
    let order = surprises.indices.sorted {
      (abs(surprises[$0] - entropy), $0) < (abs(surprises[$1] - entropy), $1)
    }
    var (sum, kept) = (0.0, 0)
    for index in order {
      kept += 1
      sum += probabilities[index]
      if sum > Double(probability) { break }
    }
    candidates.keep(at: Array(order.prefix(kept)))
  }
}
