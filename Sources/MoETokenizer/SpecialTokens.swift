import MoECore

/// Finds tokens that are recognised in text as they are, before it is cut into words.
///
/// Longer tokens take precedence over shorter ones wherever they are, as in llama.cpp, and among
/// tokens of one length the one further left.
struct SpecialTokens: Sendable {
  private let texts: PackedStrings
  /// Token ids by descending length of their text, then by text.
  private let tokens: [Int32]
  /// Runs of `tokens` with texts of one length, in bytes.
  private let groups: [(byteCount: Int, members: Range<Int>)]
  /// Whether a text begins with a byte.
  private let isFirstByte: [Bool]
  /// Tokens that take the white space before them away, and after them.
  private let strippingLeft: Set<Int32>
  private let strippingRight: Set<Int32>

  struct Match {
    let token: Int32
    let bytes: Range<Int>
  }

  /// Tokens without text are left out; of tokens with the same text the first counts.
  init(
    _ candidates: [Int32], texts: PackedStrings, strippingLeft: Set<Int32> = [],
    strippingRight: Set<Int32> = []
  ) {
    self.texts = texts
    self.strippingLeft = strippingLeft
    self.strippingRight = strippingRight
    func text(_ token: Int32) -> ArraySlice<UInt8> { texts[Int(token)] }
    tokens = candidates.filter { !text($0).isEmpty }.sorted { left, right in
      let (leftText, rightText) = (text(left), text(right))
      if leftText.count != rightText.count { return leftText.count > rightText.count }
      if leftText != rightText { return leftText.lexicographicallyPrecedes(rightText) }
      return left < right
    }
    var groups: [(byteCount: Int, members: Range<Int>)] = []
    var isFirstByte = [Bool](repeating: false, count: 256)
    for (index, token) in tokens.enumerated() {
      let byteCount = text(token).count
      if let last = groups.last, last.byteCount == byteCount {
        groups[groups.count - 1].members = last.members.lowerBound..<index + 1
      } else {
        groups.append((byteCount, index..<index + 1))
      }
      if let first = text(token).first { isFirstByte[Int(first)] = true }
    }
    self.groups = groups
    self.isFirstByte = isFirstByte
  }

  func stripsSpace(before token: Int32) -> Bool { strippingLeft.contains(token) }

  func stripsSpace(after token: Int32) -> Bool { strippingRight.contains(token) }

  /// The tokens in a text, in its order, none overlapping another.
  func matches(in text: Span<UInt8>) -> [Match] {
    var starts: [Int] = []
    for index in text.indices where isFirstByte[Int(text[index])] { starts.append(index) }
    if starts.isEmpty { return [] }

    var matches: [Match] = []
    var isTaken = [Bool](repeating: false, count: text.count)
    for (byteCount, members) in groups {
      for start in starts where start + byteCount <= text.count {
        // What is taken already is at least as long, so an overlap covers the first or last byte.
        let bytes = start..<start + byteCount
        if isTaken[start] || isTaken[bytes.upperBound - 1] { continue }
        guard let token = self.token(for: text.extracting(bytes), among: members) else { continue }
        for index in bytes { isTaken[index] = true }
        matches.append(Match(token: token, bytes: bytes))
      }
    }
    return matches.sorted { $0.bytes.lowerBound < $1.bytes.lowerBound }
  }

  /// Binary search for the first token that is not before `text`, in a run of texts of its length.
  private func token(for text: Span<UInt8>, among members: Range<Int>) -> Int32? {
    var (low, high) = (members.lowerBound, members.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if order(of: tokens[middle], against: text) < 0 { low = middle + 1 } else { high = middle }
    }
    guard low < members.upperBound, order(of: tokens[low], against: text) == 0 else { return nil }
    return tokens[low]
  }

  /// Below, equal to or above zero as a token's text comes before, is, or comes after `text`.
  private func order(of token: Int32, against text: Span<UInt8>) -> Int {
    let stored = texts[Int(token)]
    for (offset, byte) in stored.enumerated() where byte != text[offset] {
      return byte < text[offset] ? -1 : 1
    }
    return 0
  }
}
