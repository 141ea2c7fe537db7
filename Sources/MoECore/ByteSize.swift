/// A number of bytes that prints and parses the way people write memory sizes.
///
/// `8G`, `512M`, `64K` and plain bytes; `K`, `M`, `G`, `T` are powers of 1024 with or without a
/// trailing `B` or `iB`; fractions are allowed (`1.5G`).
public struct ByteSize: Hashable, Sendable, Comparable, CustomStringConvertible {
  public var byteCount: Int

  public init(_ byteCount: Int) { self.byteCount = byteCount }

  /// Nil where the text is not a size, is negative, or does not fit 62 bits.
  public init?(parsing text: String) {
    var digits = Substring(text.trimmingSpaces()).lowercased()[...]
    var shift = 0
    if digits.hasSuffix("ib") {
      digits = digits.dropLast(2)
    } else if digits.hasSuffix("b") {
      digits = digits.dropLast()
    }
    let hadSuffix = digits.count
    if let unit = digits.last, let power = ["k": 10, "m": 20, "g": 30, "t": 40][unit] {
      shift = power
      digits = digits.dropLast()
    } else if hadSuffix != text.trimmingSpaces().count, text.lowercased().hasSuffix("ib") {
      return nil  // "5iB" has no unit.
    }
    guard let value = Double(digits), value.isFinite, value >= 0 else { return nil }
    let bytes = value * Double(1 << shift)
    guard bytes < 0x1p62 else { return nil }
    byteCount = Int(bytes)
  }

  public static func < (left: ByteSize, right: ByteSize) -> Bool {
    left.byteCount < right.byteCount
  }

  public var description: String {
    let units: [(Int, String)] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
    for (shift, name) in units where abs(byteCount) >= 1 << shift {
      let tenths = (Double(byteCount) / Double(1 << shift) * 100).rounded() / 100
      return "\(tenths) \(name)"
    }
    return "\(byteCount) B"
  }
}

/// A size given outright or as a share of something: `8G` or `40%`.
public enum SizeSpecification: Hashable, Sendable, CustomStringConvertible {
  case bytes(Int)
  /// A fraction, 0.4 for `40%`.
  case fraction(Double)

  /// A size above zero, or a percentage above zero. Throws where the text is neither: nil is what
  /// "no limit" looks like where sizes are optional, and a typo must not take a limit away.
  public init(parsing text: String) throws(SizeError) {
    let trimmed = text.trimmingSpaces()
    if trimmed.hasSuffix("%") {
      guard let percent = Double(trimmed.dropLast()), percent.isFinite, percent > 0, percent <= 1e6
      else { throw SizeError(found: text) }
      self = .fraction(percent / 100)
    } else {
      guard let size = ByteSize(parsing: trimmed), size.byteCount > 0 else {
        throw SizeError(found: text)
      }
      self = .bytes(size.byteCount)
    }
  }

  /// The size in bytes, where the whole is `total` bytes.
  public func byteCount(of total: Int) -> Int {
    switch self {
    case .bytes(let count): count
    case .fraction(let share): Int(min(share * Double(total), 0x1p62))
    }
  }

  public var description: String {
    switch self {
    case .bytes(let count): ByteSize(count).description
    case .fraction(let share): "\((share * 10000).rounded() / 100)%"
    }
  }
}

/// A text that is neither a size nor a share.
public struct SizeError: Error, Hashable, Sendable, CustomStringConvertible {
  public var found: String

  /// What a size looks like.
  public static let wanted = "a size such as 8G or 512M, or a share such as 40%"

  public init(found: String) { self.found = found }

  public var description: String {
    "\(found.quotedForMessage) is no size; give \(Self.wanted)"
  }
}

extension String {
  fileprivate func trimmingSpaces() -> String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}

extension SizeSpecification: Codable {
  /// From its text, such as `8G`; a number is one of bytes.
  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let count = try? value.decode(Int.self) {
      guard count > 0 else {
        throw DecodingError.dataCorruptedError(in: value, debugDescription: SizeError.wanted)
      }
      self = .bytes(count)
      return
    }
    do {
      try self.init(parsing: try value.decode(String.self))
    } catch let error as SizeError {
      throw DecodingError.dataCorruptedError(in: value, debugDescription: error.description)
    }
  }

  /// So that nothing is rounded: bytes as a number, a share as its percentage.
  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .bytes(let count): try value.encode(count)
    case .fraction(let share): try value.encode("\(100 * share)%")
    }
  }
}
