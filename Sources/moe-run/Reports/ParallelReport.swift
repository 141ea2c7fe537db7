import MoEAnalysis
import MoECore
import MoEReport
import MoERuntime

/// What `plan --parallel --json` says of texts at a time, these properties in snake_case as keys.
struct ParallelReport: Encodable {
  /// One count; seconds are those of a step with a row of each text.
  struct Row: Encodable {
    let texts: Int
    /// Of all of them together.
    let tokensPerSecond: Double
    /// Were all reads beside computing, each expert of a step read once where it is missed.
    let boundTokensPerSecond: Double
    let seconds: Double
    let readBytes: Int
    let hitRate: Double
    let stateBytes: Int
    let poolSlots: Int
    let binds: BindingResource

    init(_ row: ParallelPrediction.Row) {
      texts = row.textCount
      tokensPerSecond = row.step.tokensPerSecond
      boundTokensPerSecond = ParallelReport.bound(row.step)
      seconds = row.step.seconds
      readBytes = Int(row.step.readByteCount)
      hitRate = row.step.hitRate
      stateBytes = row.memory.stateByteCount
      poolSlots = row.memory.slotCount + row.memory.lentSlotCount
      binds = row.step.binding
    }
  }

  let position: Int
  let rows: [Row]
  let chosen: Int
  let why: String
  let unionNote: String
  let hitRateNote: String
  let measuredNote: String

  init(_ prediction: ParallelPrediction) {
    position = prediction.position
    rows = prediction.rows.map(Row.init)
    chosen = prediction.choice.textCount
    why = Self.why(prediction.choice)
    unionNote = prediction.unionNote
    hitRateNote = prediction.routingNote
    measuredNote = prediction.note
  }

  private static func bound(_ step: PhaseEstimate) -> Double {
    step.overlappedSeconds > 0 ? Double(step.tokenCount) / step.overlappedSeconds : 0
  }

  private static func why(_ choice: ParallelChoice) -> String {
    switch choice.reason {
    case .saturated(let next, let gain) where gain < 0:
      "past that more don't help: \(next) would be slower by \(percent(-gain))"
    case .saturated(let next, let gain):
      "past that more don't help: \(next) would give \(percent(gain)) more"
    case .memory(let next): "\(next) do not fit the memory budget with this context"
    case .demand: "more were not asked for"
    }
  }

  /// The chosen count and why, as a sentence.
  static func choice(_ choice: ParallelChoice) -> String {
    let speed = Decimals.text(choice.tokensPerSecond, 1)
    return "\(choice.textCount) texts at a time, \(speed) t/s predicted: \(why(choice))"
  }

  private static func percent(_ share: Double) -> String { Decimals.text(100 * share, 1) + " %" }

  /// The table for people, with the chosen count and why.
  static func text(_ prediction: ParallelPrediction) -> String {
    let head = ["texts", "t/s", "bound t/s", "reads a step", "hit rate", "of texts", "slots", ""]
    let rows = prediction.rows.map { row in
      [
        "\(row.textCount)", Decimals.text(row.step.tokensPerSecond, 1),
        Decimals.text(bound(row.step), 1), "\(ByteSize(Int(row.step.readByteCount)))",
        percent(row.step.hitRate), "\(ByteSize(row.memory.stateByteCount))",
        "\(row.memory.slotCount + row.memory.lentSlotCount)",
        row.step.binding.rawValue + " binds"
          + (row.textCount == prediction.choice.textCount ? "; chosen" : ""),
      ]
    }
    return """
      texts at a time, each at position \(prediction.position), derived; \(prediction.note)
      experts   \(prediction.unionNote); hit rate of one text: \(prediction.routingNote)
      \(Columns.text([head] + rows, right: [0, 1, 2, 3, 4, 5, 6]))\
      chosen    \(choice(prediction.choice))

      """
  }
}
