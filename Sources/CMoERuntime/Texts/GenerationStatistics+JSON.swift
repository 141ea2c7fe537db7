import MoECore
import MoERuntime

extension GenerationStatistics {
  /// The figures, under the keys of `moe-run --stats-json` where it has them.
  func json(seed: UInt64?) -> JSON {
    .members([
      "finish": .string(finishName), "stop": stopText.map(JSON.string),
      "seed": seed.map { .number("\($0)") },
      "prompt_tokens": .integer(promptTokenCount), "held_tokens": .integer(heldTokenCount),
      "generated_tokens": .integer(generatedTokenCount),
      "prefill_seconds": .real(prefillSeconds),
      "prefill_tokens_per_second": .real(prefillTokensPerSecond),
      "prefill_expert_requests": .integer(prefill.requestCount),
      "prefill_hit_rate": .real(prefill.hitRate),
      "prefill_read_bytes": .integer(prefill.readByteCount),
      "prefill_stall_seconds": .real(prefill.stallSeconds),
      "decode_seconds": .real(decodeSeconds),
      "decode_tokens_per_second": .real(decodeTokensPerSecond),
      "decode_expert_requests": .integer(decode.requestCount),
      "decode_hit_rate": .real(decode.hitRate),
      "decode_read_bytes": .integer(decode.readByteCount),
      "decode_stall_seconds": .real(decode.stallSeconds),
      "warm_start_experts": .integer(warmedExpertCount),
      "gating": gating.map { .string($0.gating) },
      "peak_bytes": .integer(peakByteCount), "budget_bytes": .integer(budgetByteCount),
      "fits_budget": .bool(peakByteCount <= budgetByteCount),
    ])
  }

  private var finishName: String {
    switch finish {
    case .end: "end"
    case .stop: "stop"
    case .length: "length"
    case .cancelled: "cancelled"
    }
  }

  private var stopText: String? {
    if case .stop(let text) = finish { text } else { nil }
  }
}
