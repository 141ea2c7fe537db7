/// A set of scalars, as an expression's brackets describe it: a mask of kinds that changes at some
/// scalars.
///
/// `\p{L}` is one piece with the kinds of letters; `[a-z]` is three, of which the middle one has
/// all kinds. So the sets of expressions have unions, intersections and complements without listing
/// a million scalars.
struct ScalarSet: Sendable, Equatable {
  /// Where pieces begin, ascending; the first at 0.
  private(set) var starts: [UInt32]
  /// The kinds that belong to the set, by piece.
  private(set) var masks: [UInt32]

  static let empty = ScalarSet(kinds: 0)
  static let everything = ScalarSet(kinds: allKinds)
  /// `\s`
  static let space = ScalarSet(
    kinds: ScalarKind.mask(22, 23, 24) | ScalarKind.mask(ScalarKind.spaceControl))
  /// `\d`
  static let digit = ScalarSet(kinds: ScalarKind.mask(8))
  /// `\w`: letters, marks, numbers and what connects them.
  static let word = ScalarSet(kinds: 0x7FF | ScalarKind.mask(11))

  private static let allKinds: UInt32 = 0x7FFF_FFFF

  init(kinds: UInt32) {
    starts = [0]
    masks = [kinds]
  }

  init(_ range: ClosedRange<UInt32>) {
    starts = [0, range.lowerBound, range.upperBound + 1]
    masks = [0, Self.allKinds, 0]
    if range.lowerBound == 0 {
      starts.removeFirst()
      masks.removeFirst()
    }
  }

  init(_ scalar: Unicode.Scalar) { self.init(scalar.value...scalar.value) }

  func union(_ other: ScalarSet) -> ScalarSet { combined(other, |) }

  func intersection(_ other: ScalarSet) -> ScalarSet { combined(other, &) }

  var complement: ScalarSet { combined(.everything) { ~$0 & $1 } }

  /// The set with both cases of its ASCII letters.
  var ignoringCase: ScalarSet {
    var set = self
    for lower in UInt32(0x61)...0x7A {
      let upper = lower - 0x20
      let hasLower = contains(lower)
      if hasLower == contains(upper) { continue }
      set = set.union(ScalarSet(hasLower ? upper...upper : lower...lower))
    }
    return set
  }

  /// Whether no scalar is in both. Kinds that no scalar of a long piece has may hide that.
  func isDisjoint(with other: ScalarSet) -> Bool {
    let both = intersection(other)
    return both.starts.indices.allSatisfy { index in
      if both.masks[index] == 0 { return true }
      guard index + 1 < both.starts.count else { return false }
      let scalars = both.starts[index]..<both.starts[index + 1]
      return scalars.count <= 256 && !scalars.contains { both.contains($0) }
    }
  }

  func contains(_ scalar: UInt32) -> Bool {
    let piece = starts.lastIndex { $0 <= scalar } ?? 0
    let kind =
      scalar < 0x10000 ? ScalarKind.table[Int(scalar)] : ScalarKind.beyondTable(scalar)
    return masks[piece] >> UInt32(kind) & 1 != 0
  }

  private func combined(
    _ other: ScalarSet, _ operation: (UInt32, UInt32) -> UInt32
  ) -> ScalarSet {
    var result = ScalarSet.empty
    result.starts.removeAll()
    result.masks.removeAll()
    var (index, otherIndex, start) = (0, 0, UInt32(0))
    while true {
      let mask = operation(masks[index], other.masks[otherIndex])
      if result.masks.last != mask {
        result.starts.append(start)
        result.masks.append(mask)
      }
      let next = index + 1 < starts.count ? starts[index + 1] : UInt32.max
      let otherNext =
        otherIndex + 1 < other.starts.count ? other.starts[otherIndex + 1] : UInt32.max
      start = min(next, otherNext)
      if start == UInt32.max { return result }
      if next == start { index += 1 }
      if otherNext == start { otherIndex += 1 }
    }
  }
}

extension ScalarSet {
  /// The set that `\p{name}` stands for; nil where the name is not known here.
  static func property(_ name: String) -> ScalarSet? {
    if let mask = ScalarKind.mask(named: name) { return ScalarSet(kinds: mask) }
    guard name == "Han" || name == "script=Han" else { return nil }
    return hanRanges.reduce(empty) { $0.union(ScalarSet($1)) }
  }

  /// The script Han (The Unicode Standard 15.1, Scripts.txt).
  private static let hanRanges: [ClosedRange<UInt32>] = [
    0x2E80...0x2E99, 0x2E9B...0x2EF3, 0x2F00...0x2FD5, 0x3005...0x3005, 0x3007...0x3007,
    0x3021...0x3029, 0x3038...0x303B, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFA6D,
    0xFA70...0xFAD9, 0x16FE2...0x16FE3, 0x16FF0...0x16FF1, 0x20000...0x2A6DF, 0x2A700...0x2B739,
    0x2B740...0x2B81D, 0x2B820...0x2CEA1, 0x2CEB0...0x2EBE0, 0x2EBF0...0x2EE5D, 0x2F800...0x2FA1D,
    0x30000...0x3134A, 0x31350...0x323AF,
  ]
}
