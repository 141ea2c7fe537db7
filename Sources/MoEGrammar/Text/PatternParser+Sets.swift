extension PatternParser {
  /// After an opening bracket.
  mutating func set() throws(GrammarError) -> ScalarSet {
    let isNegated = take("^")
    // What a negated set leaves out is read the other way.
    let reading = isNegated ? self.reading.opposite : self.reading
    var ranges: [ClosedRange<UInt32>] = []
    while !take("]") {
      let first = try item(reading)
      guard peek == "-", index + 1 < scalars.count, scalars[index + 1] != "]" else {
        ranges += first.ranges
        continue
      }
      index += 1
      let last = try item(reading)
      guard let start = first.onlyScalar, let end = last.onlyScalar, start <= end else {
        throw error("has a range of characters whose ends are none or in the wrong order", .syntax)
      }
      ranges.append(start...end)
    }
    let set = isNegated ? ScalarSet(ranges).complement : ScalarSet(ranges)
    if set.isEmpty { throw error("has a set without characters", .syntax) }
    return set
  }

  private mutating func item(_ reading: PatternReading) throws(GrammarError) -> ScalarSet {
    let scalar = try next()
    return scalar == "\\" ? try escape(inSet: true, reading) : ScalarSet(scalar)
  }

  /// After a backslash.
  mutating func escape(
    inSet: Bool, _ reading: PatternReading
  ) throws(GrammarError) -> ScalarSet {
    let scalar = try next()
    switch scalar {
    case "d": return reading.digits
    case "D": return reading.opposite.digits.complement
    case "w": return reading.wordCharacters
    case "W": return reading.opposite.wordCharacters.complement
    case "s": return reading.spaces
    case "S": return reading.opposite.spaces.complement
    case "n": return ScalarSet("\n")
    case "r": return ScalarSet("\r")
    case "t": return ScalarSet("\t")
    case "f": return ScalarSet("\u{C}")
    case "v": return ScalarSet("\u{B}")
    case "x": return ScalarSet(try hexadecimal(digitCount: 2))
    case "u": return ScalarSet(try hexadecimal(digitCount: 4))
    case "b" where inSet: return ScalarSet("\u{8}")
    case "0":
      if let digit = peek, ("0"..."9").contains(digit) { throw error("has an octal escape") }
      return ScalarSet("\0")
    case "p", "P": throw error("has a class of Unicode (\\\(scalar)), which is not supported")
    case "b", "B": throw error("has a word boundary (\\\(scalar)), which is not supported")
    case "1"..."9", "k": throw error("has a reference (\\\(scalar)), which is not supported")
    default:
      let isWord = scalar.isASCII && reading.wordCharacters.contains(scalar.value)
      if isWord || !scalar.isASCII {
        throw error("has the escape \\\(scalar), which is not supported")
      }
      return ScalarSet(scalar)
    }
  }

  private mutating func hexadecimal(digitCount: Int) throws(GrammarError) -> Unicode.Scalar {
    var value: UInt32 = 0
    for _ in 0..<digitCount {
      let scalar = try next()
      guard scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
        throw error("has an escape without its \(digitCount) hexadecimal digits", .syntax)
      }
      value = value << 4 | UInt32(digit)
    }
    guard let scalar = Unicode.Scalar(value) else {
      throw error("has a surrogate, which is no character", .syntax)
    }
    return scalar
  }
}

extension ScalarSet {
  /// The scalar of a set that has but one.
  fileprivate var onlyScalar: UInt32? {
    guard ranges.count == 1, ranges[0].count == 1 else { return nil }
    return ranges[0].lowerBound
  }
}
