/// A small, fast, reproducible random number generator (SplitMix64; Steele, Lea and Flood 2014).
///
/// The same seed gives the same numbers on every machine. Not for secrets.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Uniform in [0, 1), 53 bits.
  public mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Standard normal, by the polar method of Marsaglia.
  public mutating func nextGaussian() -> Double {
    while true {
      let (first, second) = (nextUnit() * 2 - 1, nextUnit() * 2 - 1)
      let square = first * first + second * second
      if square > 0 && square < 1 { return first * (-2 * log(square) / square).squareRoot() }
    }
  }
}

#if canImport(Glibc)
  private import func Glibc.log
#else
  private import func Musl.log
#endif
