/// Ranges of numbers as ranges of their digits.
///
/// A range is cut into pieces in each of which every digit has a range of its own: what UTF-8 and
/// hexadecimal escapes need to be read byte by byte.
enum DigitRanges {
  typealias Piece = [ClosedRange<UInt32>]

  /// - Parameter widths: the bits of each digit, from the highest on.
  static func pieces(of range: ClosedRange<UInt32>, widths: ArraySlice<Int>) -> [Piece] {
    guard widths.count > 1 else { return [[range]] }
    let rest = widths.dropFirst()
    let shift = UInt32(rest.reduce(0, +))
    let lowMax = UInt32(1) << shift - 1
    let (first, last) = (range.lowerBound >> shift, range.upperBound >> shift)
    let (low, high) = (range.lowerBound & lowMax, range.upperBound & lowMax)
    func pieces(
      _ digits: ClosedRange<UInt32>, _ lower: ClosedRange<UInt32>
    ) -> [Piece] {
      Self.pieces(of: lower, widths: rest).map { [digits] + $0 }
    }
    if first == last { return pieces(first...first, low...high) }
    var result: [Piece] = []
    var (start, end) = (first, last)
    if low != 0 {
      result += pieces(first...first, low...lowMax)
      start += 1
    }
    var ending: [Piece] = []
    if high != lowMax {
      ending = pieces(last...last, 0...high)
      end -= 1
    }
    if start <= end { result += pieces(start...end, 0...lowMax) }
    return result + ending
  }
}

/// Ways to write scalars, byte by byte: at each place some ranges of bytes.
enum ScalarBytes {
  typealias Way = [[ClosedRange<UInt8>]]

  private static let lengths: [(scalars: ClosedRange<UInt32>, widths: [Int], lead: UInt8)] = [
    (0...0x7F, [7], 0), (0x80...0x7FF, [5, 6], 0xC0), (0x800...0xFFFF, [4, 6, 6], 0xE0),
    (0x10000...0x10FFFF, [3, 6, 6, 6], 0xF0),
  ]

  /// In UTF-8.
  static func utf8(_ set: ScalarSet) -> [Way] {
    var ways: [Way] = []
    for range in set.ranges {
      for length in lengths where range.overlaps(length.scalars) {
        let part = range.clamped(to: length.scalars)
        for piece in DigitRanges.pieces(of: part, widths: length.widths[...]) {
          ways.append(
            piece.enumerated().map { place, digits in
              let base = place == 0 ? length.lead : 0x80
              return [base + UInt8(digits.lowerBound)...base + UInt8(digits.upperBound)]
            })
        }
      }
    }
    return ways
  }

  /// As `uXXXX`, behind the backslash, in any case of the digits; scalars past U+FFFF as two such
  /// escapes.
  static func unicodeEscapes(_ set: ScalarSet) -> [Way] {
    var ways: [Way] = []
    for range in set.ranges {
      if range.lowerBound < 0x10000 {
        ways += codeUnits(range.clamped(to: 0...0xFFFF))
      }
      guard range.upperBound > 0xFFFF else { continue }
      let pair = range.clamped(to: 0x10000...0x10FFFF)
      let offsets = (pair.lowerBound - 0x10000)...(pair.upperBound - 0x10000)
      for piece in DigitRanges.pieces(of: offsets, widths: [10, 10]) {
        let high = (0xD800 + piece[0].lowerBound)...(0xD800 + piece[0].upperBound)
        let low = (0xDC00 + piece[1].lowerBound)...(0xDC00 + piece[1].upperBound)
        let backslash = UInt8(ascii: "\\")
        for first in codeUnits(high) {
          for second in codeUnits(low) { ways.append(first + [[backslash...backslash]] + second) }
        }
      }
    }
    return ways
  }

  private static func codeUnits(_ range: ClosedRange<UInt32>) -> [Way] {
    let letter = UInt8(ascii: "u")
    return DigitRanges.pieces(of: range, widths: [4, 4, 4, 4]).map { piece in
      [[letter...letter]] + piece.map(hexadecimal)
    }
  }

  private static func hexadecimal(_ digits: ClosedRange<UInt32>) -> [ClosedRange<UInt8>] {
    var ranges: [ClosedRange<UInt8>] = []
    if digits.lowerBound < 10 {
      let part = digits.clamped(to: 0...9)
      ranges.append(0x30 + UInt8(part.lowerBound)...0x30 + UInt8(part.upperBound))
    }
    if digits.upperBound > 9 {
      let part = digits.clamped(to: 10...15)
      for base: UInt8 in [0x41, 0x61] {
        let first = base + UInt8(part.lowerBound - 10)
        ranges.append(first...base + UInt8(part.upperBound - 10))
      }
    }
    return ranges
  }

  /// The short escapes of JSON, behind the backslash.
  static let shortEscapes: [(scalar: UInt32, letter: UInt8)] = [
    (0x22, 0x22), (0x5C, 0x5C), (0x2F, 0x2F), (0x08, 0x62), (0x0C, 0x66), (0x0A, 0x6E),
    (0x0D, 0x72), (0x09, 0x74),
  ]
  /// What may stand in a JSON string as it is.
  static let unescaped = ScalarSet([0x00...0x1F, 0x22...0x22, 0x5C...0x5C]).complement
  /// What is never written as `\uXXXX` in a constrained string: no writer of JSON does so.
  static let neverEscaped = ScalarSet([0x20...0x20, 0x30...0x39, 0x41...0x5A, 0x61...0x7A])
}
