/// The texts of numbers without a sign between two bounds, digit by digit.
///
/// A number is compared with both bounds while it is read: whether what was read is less than as
/// many digits of the bound, equal or more. Exponents are left out, as they would move all digits.
struct NumberAutomaton {
  private let lower: NumberRange.Bound?
  private let upper: NumberRange.Bound?
  private let isWhole: Bool
  private let significantDigitCountMax: Int

  /// Numbers of at most so many digits before the point, and as many behind it.
  static let digitCountMax = 40
  /// Decimals of so many digits that differ also differ in double precision.
  static let exactDigitCount = 15

  /// - Parameters:
  ///   - range: Bounds that are not negative.
  ///   - isWhole: Whether there is no point.
  static func automaton(
    _ range: NumberRange, isWhole: Bool, _ budget: inout AutomatonBudget
  ) throws(GrammarError) -> ScalarAutomaton {
    // A reader of double precision could round a number past the digits onto a bound that is not
    // included.
    let excluded = [range.lower, range.upper].compactMap { $0 }.filter { !$0.isIncluded }
    let isExact = !isWhole && excluded.contains { $0.value != .zero }
    if isExact && excluded.contains(where: { $0.value.significantDigitCount > exactDigitCount }) {
      throw GrammarError(
        .unsupported,
        "an exclusive bound of more than \(exactDigitCount) digits can't be told from its "
          + "neighbours",
        at: budget.place)
    }
    let scanner = NumberAutomaton(
      lower: range.lower, upper: range.upper, isWhole: isWhole,
      significantDigitCountMax: isExact ? exactDigitCount : 2 * digitCountMax)
    return try ScalarAutomaton(
      scanning: Condition(), alphabet: "0123456789.", budget: &budget, step: scanner.step,
      accepts: scanner.accepts)
  }

  private struct Condition: Hashable {
    var phase = Phase.start
    /// Digits of the part that is being read.
    var digitCount = 0
    var significantDigitCount = 0
    /// -1, 0 or 1 for each bound.
    var lowerOrder = 0
    var upperOrder = 0
  }

  private enum Phase {
    case start
    /// A zero before the point, behind which no digit may follow.
    case zero
    case whole
    case point
    case fraction
  }

  private func step(_ old: Condition, _ scalar: Unicode.Scalar) -> Condition? {
    var condition = old
    if scalar == "." {
      guard !isWhole, old.phase == .zero || old.phase == .whole else { return nil }
      condition.lowerOrder = orderAtPoint(old.lowerOrder, old.digitCount, lower)
      condition.upperOrder = orderAtPoint(old.upperOrder, old.digitCount, upper)
      condition.phase = .point
      condition.digitCount = 0
      return condition
    }
    let digit = UInt8(scalar.value - 0x30)
    if digit != 0 || old.significantDigitCount > 0 { condition.significantDigitCount += 1 }
    guard old.digitCount < Self.digitCountMax,
      condition.significantDigitCount <= significantDigitCountMax
    else { return nil }
    // Only the exact mode has to count them.
    if significantDigitCountMax >= 2 * Self.digitCountMax { condition.significantDigitCount = 0 }
    switch old.phase {
    case .zero: return nil
    case .start where digit == 0:
      condition.phase = .zero
      return condition
    case .start, .whole:
      condition.phase = .whole
      condition.lowerOrder = order(old.lowerOrder, digit, lower?.value.whole, old.digitCount)
      condition.upperOrder = order(old.upperOrder, digit, upper?.value.whole, old.digitCount)
    case .point, .fraction:
      condition.phase = .fraction
      condition.lowerOrder = order(old.lowerOrder, digit, lower?.value.fraction, old.digitCount)
      condition.upperOrder = order(old.upperOrder, digit, upper?.value.fraction, old.digitCount)
    }
    condition.digitCount += 1
    return condition
  }

  /// After one more digit. Past its last one a bound has zeros.
  private func order(_ order: Int, _ digit: UInt8, _ bound: [UInt8]?, _ place: Int) -> Int {
    guard order == 0, let bound else { return order }
    let other = place < bound.count ? bound[place] : 0
    return digit == other ? 0 : digit < other ? -1 : 1
  }

  /// Of whole parts the longer one is larger.
  private func orderAtPoint(_ order: Int, _ digitCount: Int, _ bound: NumberRange.Bound?) -> Int {
    guard let count = bound?.value.whole.count else { return 0 }
    return digitCount == count ? order : digitCount < count ? -1 : 1
  }

  private func accepts(_ condition: Condition) -> Bool {
    var (lowerOrder, upperOrder) = (condition.lowerOrder, condition.upperOrder)
    var fractionDigitCount = condition.digitCount
    switch condition.phase {
    case .start, .point: return false
    case .zero, .whole:
      lowerOrder = orderAtPoint(lowerOrder, condition.digitCount, lower)
      upperOrder = orderAtPoint(upperOrder, condition.digitCount, upper)
      fractionDigitCount = 0
    case .fraction: break
    }
    // What a bound still has behind the end is not zero.
    if let lower {
      if lowerOrder == 0 && lower.value.fraction.count > fractionDigitCount { lowerOrder = -1 }
      if lowerOrder < 0 || (lowerOrder == 0 && !lower.isIncluded) { return false }
    }
    if let upper {
      if upperOrder == 0 && upper.value.fraction.count > fractionDigitCount { upperOrder = -1 }
      if upperOrder > 0 || (upperOrder == 0 && !upper.isIncluded) { return false }
    }
    return true
  }
}
