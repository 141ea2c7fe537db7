/// A number exactly as JSON writes it, in decimal digits.
struct DecimalNumber: Hashable, Sendable {
  var isNegative: Bool
  /// Without zeros in front; none for numbers below 1.
  var whole: [UInt8]
  /// Without zeros at the end.
  var fraction: [UInt8]

  static let zero = DecimalNumber(isNegative: false, whole: [], fraction: [])
  /// Digits before and behind the point that a number may have.
  static let digitCountMax = 400

  init(isNegative: Bool, whole: [UInt8], fraction: [UInt8]) {
    self.whole = Array(whole.drop { $0 == 0 })
    let zeros = fraction.reversed().prefix { $0 == 0 }.count
    self.fraction = Array(fraction.dropLast(zeros))
    self.isNegative = isNegative && !(self.whole.isEmpty && self.fraction.isEmpty)
  }

  /// Nil where the text has more digits, written out, than are allowed.
  init?(_ text: String) {
    var digits: [UInt8] = []
    var pointPlace: Int?
    var exponent = 0
    var isNegative = false
    var isExponentNegative = false
    var isInExponent = false
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "-"):
        if isInExponent { isExponentNegative = true } else { isNegative = true }
      case UInt8(ascii: "."): pointPlace = digits.count
      case UInt8(ascii: "e"), UInt8(ascii: "E"): isInExponent = true
      case 0x30...0x39:
        if isInExponent {
          exponent = min(exponent * 10 + Int(byte - 0x30), 1 << 20)
        } else {
          digits.append(byte - 0x30)
        }
      default: break
      }
    }
    let place = (pointPlace ?? digits.count) + (isExponentNegative ? -exponent : exponent)
    if digits.allSatisfy({ $0 == 0 }) {
      self = .zero
      return
    }
    guard place <= Self.digitCountMax, digits.count - place <= Self.digitCountMax else {
      return nil
    }
    if place > digits.count {
      digits += Array(repeating: 0, count: place - digits.count)
    } else if place < 0 {
      digits.insert(contentsOf: Array(repeating: 0, count: -place), at: 0)
    }
    let split = max(place, 0)
    self.init(
      isNegative: isNegative, whole: Array(digits[..<split]), fraction: Array(digits[split...]))
  }

  var isWhole: Bool { fraction.isEmpty }

  var negated: DecimalNumber {
    DecimalNumber(isNegative: !isNegative, whole: whole, fraction: fraction)
  }

  /// How many digits there are between the first and the last that isn't zero.
  var significantDigitCount: Int {
    let digits = (whole + fraction).drop { $0 == 0 }
    return digits.count - digits.reversed().prefix { $0 == 0 }.count
  }
}

extension DecimalNumber: Comparable {
  static func < (left: DecimalNumber, right: DecimalNumber) -> Bool {
    if left.isNegative != right.isNegative { return left.isNegative }
    let order = left.magnitudeOrder(right)
    return left.isNegative ? order > 0 : order < 0
  }

  /// -1, 0 or 1, without the signs.
  private func magnitudeOrder(_ other: DecimalNumber) -> Int {
    if whole.count != other.whole.count { return whole.count < other.whole.count ? -1 : 1 }
    let (mine, others) = (whole + fraction, other.whole + other.fraction)
    if mine == others { return 0 }
    return mine.lexicographicallyPrecedes(others) ? -1 : 1
  }
}

/// Numbers between two bounds, each of them included or not, or absent.
struct NumberRange: Hashable, Sendable {
  struct Bound: Hashable, Sendable {
    var value: DecimalNumber
    var isIncluded: Bool
  }

  var lower: Bound?
  var upper: Bound?

  mutating func raiseLower(to bound: Bound) {
    guard let lower else { return self.lower = bound }
    if bound.value > lower.value || (bound.value == lower.value && !bound.isIncluded) {
      self.lower = bound
    }
  }

  mutating func reduceUpper(to bound: Bound) {
    guard let upper else { return self.upper = bound }
    if bound.value < upper.value || (bound.value == upper.value && !bound.isIncluded) {
      self.upper = bound
    }
  }

  var isEmpty: Bool {
    guard let lower, let upper else { return false }
    return lower.value > upper.value
      || (lower.value == upper.value && !(lower.isIncluded && upper.isIncluded))
  }

  func contains(_ number: DecimalNumber) -> Bool {
    if let lower, number < lower.value || (number == lower.value && !lower.isIncluded) {
      return false
    }
    if let upper, number > upper.value || (number == upper.value && !upper.isIncluded) {
      return false
    }
    return true
  }
}
