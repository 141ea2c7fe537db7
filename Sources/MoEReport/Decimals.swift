/// Numbers with a fixed count of decimal places, for people.
package enum Decimals {
  /// - Parameter places: 1 to 6.
  package static func text(_ value: Double, _ places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    // Beyond 2^53 a number has no decimal places to show; these also take in what is not finite.
    guard abs(value) * scale < 0x1p53 else { return "\(value)" }
    let scaled = UInt64((abs(value) * scale).rounded())
    let fraction = String(scaled % UInt64(scale))
    let zeros = String(repeating: "0", count: places - fraction.count)
    return "\(value < 0 ? "-" : "")\(scaled / UInt64(scale)).\(zeros)\(fraction)"
  }
}
