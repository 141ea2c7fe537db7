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

extension FlagValue {
  static func gating(_ text: String) throws -> GatingSpecification {
    do {
      return try GatingSpecification(parsing: text)
    } catch {
      throw ValidationError("\(error)")
    }
  }
}
