import MoECore
import MoERuntime

/// What is timed: a prompt that is read, or a text that is generated, with so much context before.
struct BenchTest: Sendable, Equatable {
  enum Phase: String, Sendable, Encodable {
    case prefill, decode
  }

  let phase: Phase
  /// Tokens whose time is taken.
  let tokenCount: Int
  /// Tokens that are in the context already.
  let depth: Int

  /// llama-bench's names: `pp512`, `tg64`, `tg64@d4096`.
  var name: String {
    "\(phase == .prefill ? "pp" : "tg")\(tokenCount)\(depth > 0 ? "@d\(depth)" : "")"
  }

  /// Tokens of the prompt that the test needs. A text needs one to begin with.
  var promptTokenCount: Int {
    phase == .prefill ? depth + tokenCount : max(1, depth)
  }

  /// Positions that the test fills.
  var positionCount: Int {
    phase == .prefill ? promptTokenCount : promptTokenCount + tokenCount
  }

  /// What of a generation the test is about.
  func traffic(_ statistics: GenerationStatistics) -> ExpertTraffic {
    phase == .prefill ? statistics.prefill : statistics.decode
  }

  /// Experts that a token took in a layer; nil where no gating was on.
  func expertsPerToken(_ statistics: GenerationStatistics) -> Double? {
    phase == .prefill
      ? statistics.gating?.prefillExpertsPerToken : statistics.gating?.decodeExpertsPerToken
  }

  /// The time that the test is about.
  func seconds(_ statistics: GenerationStatistics) -> Double {
    phase == .prefill ? statistics.prefillSeconds : statistics.decodeSeconds
  }
}

/// What a test runs in.
struct BenchSetting: Sendable {
  /// Nil: what the machine has, less a reserve.
  let memory: SizeSpecification?
  /// As it was written: `none`, `50%`, `8G`.
  let budget: String
  /// Nil: one per processor.
  let threadCount: Int?
}

/// One repetition of a test.
struct BenchSample: Sendable {
  let seconds: Double
  let traffic: ExpertTraffic
  /// Nil where no gating was on.
  let expertsPerToken: Double?
  /// Of the engine that ran it; the same for all repetitions that share one.
  let loadSeconds: Double
  /// Nil where the kernel does not let the peak begin anew.
  let peakByteCount: Int?
}
