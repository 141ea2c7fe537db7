import Foundation
import MoETestSupport
import Testing

/// What `plan` says that a recorded run reads, against what the run itself counted.
@Suite struct PredictedBytesTests {
  /// Direct reads take whole blocks of the file: of nano-moe's small experts up to this much more.
  private static let blockShare = 0.07

  private let text = (0..<60).map { "The \($0 * $0 % 97) foxes and a dog. " }.joined()

  private func object(_ data: Data) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  private func number(_ object: Any?, _ key: String) throws -> Double {
    try #require((object as? [String: Any])?[key] as? Double, "\(key)")
  }

  /// The run's statistics, and the prediction for one like it.
  private func both(
    _ settings: [String]
  ) async throws -> (counted: [String: Any], predicted: [String: Any]) {
    let scratch = try Scratch()
    let prompt = try scratch.write(Data(text.utf8), to: "prompt.txt")
    let (trace, stats) = (scratch.url("a.moetrace").path, scratch.url("stats.json"))
    let environment = ["XDG_CACHE_HOME": scratch.url("cache").path]
    // Nothing is read in vain.
    let common = [TrainedModel.path, "--chunk", "48", "--predictor", "off"] + settings
    let run = try await Program(
      ["generate"] + common + [
        "-f", prompt, "-n", "40", "--ignore-eos", "--temp", "1", "--seed", "1",
        "--no-warm-start", "-q", "--trace", trace, "--stats-json", stats.path,
      ], environment: environment
    ).end()
    #expect(run.code == 0, "\(run.errors)")
    let counted = try object(Data(contentsOf: stats))
    let promptTokenCount = Int(try number(counted, "prompt_tokens"))
    // No more chunks than are all replayed.
    #expect(promptTokenCount > 4 * 48 && promptTokenCount <= 16 * 48)
    let plan = try await Program(
      ["plan"] + common + [
        "--trace", trace, "--prompt-tokens", "\(promptTokenCount)", "--json",
      ], environment: environment
    ).end()
    #expect(plan.code == 0, "\(plan.errors)")
    return (counted, try #require(try plan.json()["prediction"] as? [String: Any]))
  }

  @Test(arguments: ["15%", "25%", "60%", "90%"])
  func aRecordedRunReadsWhatThePlanSays(_ pool: String) async throws {
    let (counted, predicted) = try await both(["--memory", "64M", "--expert-pool", pool])
    for (phase, bytes) in [("prefill", "read_bytes"), ("decode", "read_bytes_per_token")] {
      let hitRate = try number(predicted[phase], "hit_rate")
      #expect(abs(hitRate - (try number(counted, "\(phase)_hit_rate"))) < 1e-9, "\(phase)")
      let ratio =
        try number(counted, "\(phase)_\(bytes)") / number(predicted[phase], "read_bytes")
      #expect(ratio > 0.999 && ratio < 1 + Self.blockShare, "\(phase): \(ratio)")
    }
    #expect(try number(predicted["prefill"], "hit_rate") < 1)
  }
}
