#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Keeps tokens at least `fraction` times as probable as the most probable one (arXiv 2407.01082).
package struct MinP: SamplerStage {
  let fraction: Float

  package static func make(_ options: SamplingOptions) -> (any SamplerStage)? {
    options.minP > 0 ? MinP(fraction: min(options.minP, 1)) : nil
  }

  package func apply(to candidates: inout Candidates, step: SamplerStep) {
    candidates.keep(atLeast: candidates.largest + log(fraction))
  }
}
