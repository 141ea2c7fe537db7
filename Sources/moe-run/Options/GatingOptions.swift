import ArgumentParser
import MoERuntime

/// What changes which experts tokens take.
struct GatingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Let tokens take fewer or other experts, which changes the text: "
        + Self.kinds + ". (default: off)", valueName: "kind"),
    transform: FlagValue.gating)
  var gating = GatingSpecification.off

  static let kinds = Engine.gatings.map { "\($0.usage) (\(summary: $0.summary))" }
    .joined(separator: ", ")
}

/// A gating as `generate` takes it: one by name, or the fastest within a bound.
enum GatingRequest: Sendable, Equatable {
  case fixed(GatingSpecification)
  /// The fastest that raises perplexity by at most this share.
  case automatic(bound: Double)

  private static let automaticName = "auto"

  init(parsing text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts[0] == Self.automaticName else {
      self = .fixed(try FlagValue.gating(text))
      return
    }
    guard parts.count == 2, parts[1].hasSuffix("%"), let percent = Double(parts[1].dropLast()),
      percent.isFinite, (0...1000).contains(percent)
    else {
      throw ValidationError(
        "give \(Self.automaticName) with the increase of perplexity to stay under, 0% to 1000%: "
          + "\(Self.automaticName):1%")
    }
    self = .automatic(bound: percent / 100)
  }
}

extension GatingRequest {
  /// What `--on-miss` stands for.
  static func onMiss(_ text: String) throws -> GatingRequest {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let score = parts.count > 1 ? String(parts[1]) : nil
    switch parts[0] {
    case "wait" where score == nil: return .fixed(.off)
    // Even what has no better expert is not waited for.
    case "low": return .fixed(try FlagValue.gating("miss-low:\(score ?? "-1")"))
    case "skip": return .fixed(try FlagValue.gating("miss-skip:\(score ?? "0.9")"))
    default: throw ValidationError("give wait, low, low:H, skip or skip:T")
    }
  }
}

extension FlagValue {
  static func gating(_ text: String) throws -> GatingSpecification {
    do {
      return try GatingSpecification(parsing: text)
    } catch {
      throw ValidationError("\(error)")
    }
  }
}
