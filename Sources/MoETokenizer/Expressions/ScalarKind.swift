/// What Unicode says a scalar is: its general category, with white space among the controls apart.
///
/// Kinds are numbers below 32, so that a set of them is a mask. Scalars below U+10000 are looked up
/// in a table, which is made once in a millisecond and takes 64 KiB; the others are asked for one
/// by one.
enum ScalarKind {
  /// Controls that are white space: U+0009 to U+000D, U+0085.
  static let spaceControl: UInt8 = 30

  /// Kind of each scalar below U+10000; surrogates, which are none, are unassigned.
  static let table: [UInt8] = (UInt32(0)..<0x10000).map { value in
    Unicode.Scalar(value).map { of($0) } ?? unassigned
  }

  static func mask(_ kinds: UInt8...) -> UInt32 { kinds.reduce(0) { $0 | 1 << UInt32($1) } }

  /// The kinds of a category by the name that expressions give it (`L`, `Lu`); nil for others.
  static func mask(named name: String) -> UInt32? {
    if let index = names.firstIndex(of: name) {
      return 1 << UInt32(index) | (name == "Cc" ? mask(spaceControl) : 0)
    }
    guard name.count == 1 else { return nil }
    let members = names.indices.filter { names[$0].hasPrefix(name) }
    if members.isEmpty { return nil }
    return members.reduce(name == "C" ? mask(spaceControl) : 0) { $0 | 1 << UInt32($1) }
  }

  /// The kind of a scalar above U+FFFF.
  static func beyondTable(_ scalar: UInt32) -> UInt8 {
    Unicode.Scalar(scalar).map { of($0) } ?? unassigned
  }

  /// General categories by their numbers.
  private static let names = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi",
    "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]

  private static let unassigned: UInt8 = 29

  private static func of(_ scalar: Unicode.Scalar) -> UInt8 {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: scalar.properties.isWhitespace ? spaceControl : 25
    case .format: 26
    case .surrogate: 27
    case .privateUse: 28
    case .unassigned: unassigned
    @unknown default: unassigned
    }
  }
}
