import MoEAnalysis
import MoECore
import MoEReport
import MoERuntime

/// What `plan --json` says of speed, these properties in snake_case as its keys.
struct PredictionReport: Encodable {
  /// Seconds are those of the whole prompt, or of one token.
  struct Phase: Encodable {
    let tokens: Int
    let tokensPerSecond: Double
    let seconds: Double
    /// Were there no disk; `memory_seconds` are part of them.
    let computeSeconds: Double
    let memorySeconds: Double
    let diskSeconds: Double
    /// What would remain if all reads overlapped with computing.
    let overlappedSeconds: Double
    let readBytes: Int
    let hitRate: Double
    let binds: BindingResource

    init(_ phase: PhaseEstimate) {
      tokens = phase.tokenCount
      tokensPerSecond = phase.tokensPerSecond
      seconds = phase.seconds
      computeSeconds = phase.computeSeconds
      memorySeconds = phase.memorySeconds
      diskSeconds = phase.diskSeconds
      overlappedSeconds = phase.overlappedSeconds
      readBytes = Int(phase.readByteCount)
      hitRate = phase.hitRate
      binds = phase.binding
    }
  }

  struct Advice: Encodable {
    let change: String
    let decodeTokensPerSecond: Double?
    let prefillTokensPerSecond: Double?
    let note: String?
  }

  struct Figure: Encodable {
    let name: String
    let value: Double
    let unit: String
    let basis: MemoryPlan.Basis
  }

  let promptTokens: Int
  let prefill: Phase
  let decode: Phase
  /// Derived, measured (by replay of a trace), assumed or user.
  let hitRateBasis: RoutingEstimate.Basis
  let hitRateNote: String
  let optimalHitRate: Double?
  let optimalDecodeTokensPerSecond: Double?
  let whatWouldHelp: [Advice]
  let measured: [Figure]
  let measuredNote: String

  init(_ prediction: Prediction) {
    promptTokens = prediction.promptTokenCount
    prefill = Phase(prediction.prefill)
    decode = Phase(prediction.decode)
    hitRateBasis = prediction.routing.basis
    hitRateNote = prediction.routing.note
    optimalHitRate = prediction.routing.optimalHitRate
    optimalDecodeTokensPerSecond = prediction.optimum?.tokensPerSecond
    whatWouldHelp = prediction.advice.map {
      Advice(
        change: $0.change, decodeTokensPerSecond: $0.decode?.tokensPerSecond,
        prefillTokensPerSecond: $0.prefill?.tokensPerSecond, note: $0.note)
    }
    measured = prediction.figures.map {
      Figure(name: $0.name, value: $0.value, unit: $0.unit, basis: .measured)
    }
    measuredNote = prediction.note
  }

  /// The prediction for people.
  static func text(_ prediction: Prediction) -> String {
    let routing = prediction.routing
    var lines = [
      "speed     \(prediction.note)",
      "hit rate  \(percent(prediction.decode.hitRate)) in decoding, \(routing.basis.rawValue): "
        + routing.note,
    ]
    if let rate = routing.optimalHitRate, let optimum = prediction.optimum {
      lines.append(
        "          the optimum policy would give \(percent(rate)), decode \(speed(optimum))")
    }
    lines += [
      "prefill   \(speed(prediction.prefill)) for \(prediction.promptTokenCount) tokens, derived; "
        + text(prediction.prefill),
      "decode    \(speed(prediction.decode)) at position \(prediction.promptTokenCount), derived; "
        + text(prediction.decode),
      "what would help",
    ]
    let rows = prediction.advice.map { advice in
      if let note = advice.note { return ["  " + advice.change, note] }
      let phases = [("decode", advice.decode), ("prefill", advice.prefill)]
      let speeds = phases.compactMap { name, phase in phase.map { "\(name) \(speed($0))" } }
      return ["  " + advice.change, speeds.joined(separator: ", ")]
    }
    return lines.joined(separator: "\n") + "\n" + Columns.text(rows)
      + "measured\n"
      + Columns.text(
        prediction.figures.map { ["  " + $0.name, Decimals.text($0.value, 2), $0.unit] },
        right: [1])
  }

  /// Which resource binds, and what each is busy for.
  private static func text(_ phase: PhaseEstimate) -> String {
    let read = ByteSize(Int(phase.readByteCount))
    let disk = phase.readByteCount > 0 ? ", disk \(time(phase.diskSeconds)) for \(read)" : ""
    return "\(phase.binding.rawValue) binds: \(time(phase.seconds)), of which computing "
      + "\(time(phase.computeSeconds)) (memory \(time(phase.memorySeconds)))\(disk)"
  }

  private static func speed(_ phase: PhaseEstimate) -> String {
    Decimals.text(phase.tokensPerSecond, 1) + " t/s"
  }

  private static func percent(_ share: Double) -> String { Decimals.text(100 * share, 1) + " %" }

  private static func time(_ seconds: Double) -> String {
    seconds >= 1 ? Decimals.text(seconds, 2) + " s" : Decimals.text(seconds * 1000, 1) + " ms"
  }
}
