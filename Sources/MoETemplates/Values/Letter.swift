/// Who wrote a character or a value.
enum Origin: Sendable {
  /// The template's text or a trusted variable.
  case template
  /// A message, a tool or an untrusted variable, or a result computed from one.
  case data

  /// What is made of several is as little trusted as the least of them.
  static func | (first: Origin, second: Origin) -> Origin {
    first == .data || second == .data ? .data : .template
  }
}

/// A character, which is a Unicode scalar as in Python, with its origin.
///
/// Letters are equal when their characters are: origins never change what a template does.
struct Letter: Hashable, Comparable, Sendable {
  /// The scalar in the low 21 bits, the origin in the highest.
  private let bits: UInt32

  private static let dataBit: UInt32 = 1 << 31

  init(_ scalar: Unicode.Scalar, _ origin: Origin) {
    bits = scalar.value | (origin == .data ? Self.dataBit : 0)
  }

  var value: UInt32 { bits & 0x1F_FFFF }

  var scalar: Unicode.Scalar { Unicode.Scalar(value) ?? "\u{FFFD}" }

  var origin: Origin { bits & Self.dataBit == 0 ? .template : .data }

  static func == (first: Letter, second: Letter) -> Bool { first.value == second.value }

  static func < (first: Letter, second: Letter) -> Bool { first.value < second.value }

  func hash(into hasher: inout Hasher) { hasher.combine(value) }

  /// White space as Python's `str.isspace` has it.
  var isSpace: Bool { scalar.isPythonSpace }
}

extension Unicode.Scalar {
  /// Unicode's white space and the four separators that Python counts as well.
  var isPythonSpace: Bool {
    if value < 0x80 { return value == 0x20 || (0x09...0x0D).contains(value) || isSeparator }
    return properties.isWhitespace
  }

  private var isSeparator: Bool { (0x1C...0x1F).contains(value) }

  /// Where Python's `splitlines` ends a line.
  var isPythonLineEnd: Bool {
    switch value {
    case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }
}
