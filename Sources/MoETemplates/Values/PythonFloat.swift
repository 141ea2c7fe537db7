/// A float as Python prints it: the shortest digits that give it back, with an exponent from 1e16
/// on and below 1e-4.
func pythonDescription(of number: Double) -> String {
  if number.isNaN { return "nan" }
  if number.isInfinite { return number < 0 ? "-inf" : "inf" }
  let sign = number.sign == .minus ? "-" : ""
  if number == 0 { return sign + "0.0" }
  let (digits, exponent) = shortestDigits(of: number.magnitude)
  if exponent < -4 || exponent >= 16 {
    let fraction = digits.count > 1 ? "." + String(decoding: digits.dropFirst(), as: UTF8.self) : ""
    let power = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
    return sign + String(decoding: digits.prefix(1), as: UTF8.self) + fraction + "e"
      + (exponent < 0 ? "-" : "+") + power
  }
  let zero = UInt8(ascii: "0")
  if exponent < 0 {
    let zeros = String(repeating: "0", count: -exponent - 1)
    return sign + "0." + zeros + String(decoding: digits, as: UTF8.self)
  }
  let missing = max(exponent + 1 - digits.count, 0)
  let padded = digits + [UInt8](repeating: zero, count: missing)
  let fraction = padded.dropFirst(exponent + 1)
  return sign + String(decoding: padded.prefix(exponent + 1), as: UTF8.self) + "."
    + (fraction.isEmpty ? "0" : String(decoding: fraction, as: UTF8.self))
}

/// The digits of a positive number, of which the first is not 0, and that one's power of ten.
private func shortestDigits(of number: Double) -> (digits: [UInt8], exponent: Int) {
  var digits: [UInt8] = []
  var exponent = 0
  var wholeCount: Int?
  let description = Array("\(number)".utf8)
  for (index, byte) in description.enumerated() {
    switch byte {
    case UInt8(ascii: "."): wholeCount = digits.count
    case UInt8(ascii: "e"):
      exponent = Int(String(decoding: description[(index + 1)...], as: UTF8.self)) ?? 0
      return normalized(digits, wholeCount: wholeCount ?? digits.count, exponent: exponent)
    default: digits.append(byte)
    }
  }
  return normalized(digits, wholeCount: wholeCount ?? digits.count, exponent: exponent)
}

private func normalized(
  _ digits: [UInt8], wholeCount: Int, exponent: Int
) -> (digits: [UInt8], exponent: Int) {
  let zero = UInt8(ascii: "0")
  var rest = digits.drop { $0 == zero }
  let power = exponent + wholeCount - 1 - (digits.count - rest.count)
  while rest.count > 1, rest.last == zero { rest.removeLast() }
  return (Array(rest), power)
}
