/// Looking for texts in texts, byte by byte, in a time that grows with their lengths alone.
package enum TextSearch {
  /// Where a text is found last; its end. (Knuth, Morris and Pratt, SIAM J. Comput. 6, 1977, from
  /// the back.)
  package static func lastEnd(
    of wanted: some BidirectionalCollection<UInt8>, in text: [UInt8]
  ) -> Int? {
    let start = firstStart(of: Array(wanted.reversed()), in: text.reversed())
    return start.map { text.count - $0 }
  }

  /// Where a text is found first; its start.
  package static func firstStart(of wanted: [UInt8], in text: some Sequence<UInt8>) -> Int? {
    guard !wanted.isEmpty else { return nil }
    // For each beginning of the wanted text, the longest shorter one that it ends with.
    var shorter = [0]
    for index in wanted.indices.dropFirst() {
      var length = shorter[index - 1]
      while length > 0, wanted[length] != wanted[index] { length = shorter[length - 1] }
      shorter.append(wanted[length] == wanted[index] ? length + 1 : 0)
    }
    var matched = 0
    for (index, byte) in text.enumerated() {
      while matched > 0, wanted[matched] != byte { matched = shorter[matched - 1] }
      if wanted[matched] == byte { matched += 1 }
      if matched == wanted.count { return index + 1 - wanted.count }
    }
    return nil
  }

  /// A text without white space at its ends, and what stood at its end.
  static func trimmed(_ text: String) -> (text: String, end: String) {
    let scalars = text.unicodeScalars
    let tail = scalars.reversed().prefix { $0.properties.isWhitespace }.count
    let body = scalars.dropLast(tail)
    return (
      String(body.drop { $0.properties.isWhitespace }), String(scalars.suffix(tail))
    )
  }
}
