/// Ends that `strip` and its kin take characters from.
struct TextEnds: OptionSet {
  let rawValue: Int

  static let start = TextEnds(rawValue: 1)
  static let end = TextEnds(rawValue: 2)
}

extension Text {
  /// Without the characters of `set` at the ends; without white space where `set` is nil.
  func stripped(of set: Text?, at ends: TextEnds) -> Text {
    let wanted = set.map { Set($0.letters) }
    func isStripped(_ letter: Letter) -> Bool { wanted?.contains(letter) ?? letter.isSpace }
    var slice = letters[...]
    if ends.contains(.start) { slice = slice.drop(while: isStripped) }
    if ends.contains(.end) {
      while let last = slice.last, isStripped(last) { slice.removeLast() }
    }
    return Text(slice)
  }

  /// Lines without their ends, as Python's `splitlines` gives them.
  func lines(keepingEnds: Bool = false) -> [Text] {
    var lines: [Text] = []
    var start = 0
    var index = 0
    while index < count {
      guard letters[index].scalar.isPythonLineEnd else {
        index += 1
        continue
      }
      let end = index
      let isPair =
        letters[index].scalar == "\r" && index + 1 < count && letters[index + 1].scalar == "\n"
      index += isPair ? 2 : 1
      lines.append(Text(letters[start..<(keepingEnds ? index : end)]))
      start = index
    }
    if start < count { lines.append(Text(letters[start...])) }
    return lines
  }
}
