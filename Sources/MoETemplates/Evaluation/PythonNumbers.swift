#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A number rounded to a count of digits behind the point, as jinja2's filter `round` does it:
/// `common` rounds the exact value half to even as Python does, `ceil` and `floor` the value times
/// a power of ten.
func rounded(
  _ number: Double, _ precision: Int, _ method: String
) throws(TemplateError) -> Double {
  if !number.isFinite { return number }
  // Beyond these a float has no more digits, or none.
  let precision = min(max(precision, -308), 308)
  let power = pow(10, Double(precision.magnitude))
  func scaled(_ rule: FloatingPointRoundingRule) -> Double {
    let up = precision < 0 ? number / power : number * power
    if !up.isFinite { return number }
    return precision < 0 ? up.rounded(rule) * power : up.rounded(rule) / power
  }
  switch method {
  case "common":
    if precision < 0 { return scaled(.toNearestOrEven) }
    return Double(fixedPoint(number, precision)) ?? number
  case "ceil": return scaled(.up)
  case "floor": return scaled(.down)
  default:
    throw TemplateError(.wrongValue, "the filter 'round' has no method '\(method.prefix(40))'")
  }
}

/// A float from a text without white space around it, as Python's `float` reads it; nil where it is
/// none.
func pythonDouble(_ text: String) -> Double? {
  let lowered = text.lowercased()
  let name = lowered.drop { $0 == "-" || $0 == "+" }
  if ["inf", "infinity", "nan"].contains(String(name)) { return Double(lowered) }
  // Swift reads hexadecimal floats as well.
  guard
    lowered.unicodeScalars.allSatisfy({ $0.isTemplateDigit || "+-.e_".unicodeScalars.contains($0) })
  else { return nil }
  var digits = lowered.replacing("_", with: "")
  if digits.hasPrefix(".") || digits.hasPrefix("-.") || digits.hasPrefix("+.") {
    digits = digits.replacing(".", with: "0.", maxReplacements: 1)
  }
  if digits.hasSuffix(".") { digits += "0" }
  return Double(digits.replacing(".e", with: ".0e"))
}

/// A number with so many digits behind the point, its exact value rounded half to even.
private func fixedPoint(_ number: Double, _ precision: Int) -> String {
  // The largest number has 309 digits before the point.
  let count = 320 + precision
  return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: count) { buffer in
    guard let start = buffer.baseAddress else { return "" }
    _ = unsafe withVaList([number]) { unsafe vsnprintf(start, count, "%.\(precision)f", $0) }
    return unsafe String(cString: start)
  }
}
