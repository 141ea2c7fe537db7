import MoEReport
import MoERuntime

/// What a generation cost, in one line for people.
enum StatisticsLine {
  static func text(_ statistics: GenerationStatistics) -> String {
    let decode = statistics.decode
    let read = statistics.decodeReadByteCountPerToken
    let parts = [
      "prefill \(statistics.promptTokenCount) tokens"
        + (statistics.heldTokenCount > 0 ? " after \(statistics.heldTokenCount) held, " : ", ")
        + "\(Decimals.text(statistics.prefillTokensPerSecond, 1)) t/s",
      "decode \(statistics.generatedTokenCount) tokens, "
        + "\(Decimals.text(statistics.decodeTokensPerSecond, 1)) t/s",
      "hit rate \(Decimals.text(100 * decode.hitRate, 1)) %",
      "read \(mebibytes(read, 2)) MiB per token",
      ahead(decode),
      decode.lowCount > 0
        ? "\(decode.lowCount) answered in fewer bits, \(decode.behindCount) read behind" : nil,
      "stalled \(Decimals.text(decode.stallSeconds, 2)) s",
      "peak \(mebibytes(Double(statistics.peakByteCount), 1)) of "
        + "\(mebibytes(Double(statistics.budgetByteCount), 1)) MiB",
      statistics.gating.map(text),
    ]
    return parts.compactMap(\.self).joined(separator: " | ")
  }

  /// What was guessed and read ahead; nil where nothing was.
  private static func ahead(_ decode: ExpertTraffic) -> String? {
    guard decode.guessCount > 0 else { return nil }
    let wasted = mebibytes(Double(decode.prefetchWastedByteCount), 1)
    return "\(decode.rightGuessCount) of \(decode.guessCount) guesses right, "
      + "\(mebibytes(Double(decode.prefetchByteCount), 1)) MiB read ahead, \(wasted) in vain"
  }

  private static func text(_ gating: GatingStatistics) -> String {
    guard let count = gating.decodeExpertsPerToken ?? gating.prefillExpertsPerToken else {
      return "gating \(gating.gating)"
    }
    return "gating \(gating.gating), \(Decimals.text(count, 2)) experts per token"
  }

  private static func mebibytes(_ byteCount: Double, _ places: Int) -> String {
    Decimals.text(byteCount / 0x1p20, places)
  }
}
