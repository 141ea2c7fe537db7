import ArgumentParser
import MoEModel

/// How many experts of each layer stay where others are left out.
struct KeptExperts {
  private enum Rule {
    case all(Int)
    case each([Int])
    case schedule(first: Int, middle: Int, last: Int, turn: Int)
  }

  private let rule: Rule

  private static let wanted =
    "give a number from 1 to 65536, one for each layer with experts, or schedule:B,H,E,P"

  init(_ text: String) throws {
    let isSchedule = text.hasPrefix("schedule:")
    let numbers = try FlagValue.list(isSchedule ? String(text.dropFirst(9)) : text) { number in
      guard let value = Int(number), (1...1 << 16).contains(value) else {
        throw ValidationError(Self.wanted)
      }
      return value
    }
    if isSchedule {
      guard numbers.count == 4 else { throw ValidationError(Self.wanted) }
      rule = .schedule(
        first: numbers[0], middle: numbers[1], last: numbers[2], turn: numbers[3])
    } else {
      rule = numbers.count == 1 ? .all(numbers[0]) : .each(numbers)
    }
  }

  /// By layer with experts.
  func counts(layerCount: Int) throws(Mismatch) -> [Int] {
    switch rule {
    case .all(let count): return Array(repeating: count, count: layerCount)
    case .each(let counts):
      guard counts.count == layerCount else {
        throw Mismatch(
          description: "\(counts.count) numbers for a model with \(layerCount) layers of experts; "
            + "give one for each, or one for all")
      }
      return counts
    case .schedule(let first, let middle, let last, let turn):
      guard turn < layerCount - 1 else {
        throw Mismatch(
          description: "P must lie between the first and the last of the model's layers with "
            + "experts, 0 and \(layerCount - 1)")
      }
      return LayerSchedule(
        first: first, middle: middle, last: last, turn: turn, layerCount: layerCount
      ).counts
    }
  }

  /// Why a rule is not one for a model.
  struct Mismatch: Error, CustomStringConvertible {
    let description: String
  }
}
