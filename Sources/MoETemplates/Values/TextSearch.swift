/// Finds a text in others in time linear in both (Knuth, Morris and Pratt 1977), because needle and
/// haystack are a stranger's choice.
struct TextSearch {
  private let needle: [Letter]
  /// For each prefix of the needle the length of its longest proper border.
  private let borders: [Int]

  init(_ needle: Text) {
    self.needle = needle.letters
    var borders = [Int](repeating: 0, count: needle.count)
    var border = 0
    for index in needle.letters.indices.dropFirst() {
      while border > 0, needle.letters[index] != needle.letters[border] {
        border = borders[border - 1]
      }
      if needle.letters[index] == needle.letters[border] { border += 1 }
      borders[index] = border
    }
    self.borders = borders
  }

  /// Where the needle first begins at `start` or after it. An empty needle is found at `start`.
  func first(in text: Text, from start: Int = 0) -> Int? {
    if needle.isEmpty { return start <= text.count ? start : nil }
    guard start < text.count else { return nil }
    var matched = 0
    for index in start..<text.count {
      while matched > 0, text.letters[index] != needle[matched] { matched = borders[matched - 1] }
      if text.letters[index] == needle[matched] { matched += 1 }
      if matched == needle.count { return index + 1 - matched }
    }
    return nil
  }

  /// Beginnings of at most `countMax` occurrences that don't overlap, from the start on.
  ///
  /// An empty needle is between all characters and at both ends.
  func all(in text: Text, countMax: Int = .max) -> [Int] {
    var places: [Int] = []
    var start = 0
    while places.count < countMax, let place = first(in: text, from: start) {
      places.append(place)
      start = place + max(needle.count, 1)
    }
    return places
  }
}

extension Text {
  var reversed: Text { Text(letters.reversed()) }

  func contains(_ other: Text) -> Bool { TextSearch(other).first(in: self) != nil }

  /// Beginnings of at most `countMax` occurrences that don't overlap, from the end on.
  func lastPlaces(of needle: Text, countMax: Int) -> [Int] {
    TextSearch(needle.reversed).all(in: reversed, countMax: countMax).map {
      count - $0 - needle.count
    }
  }

  /// What lies between the places of a separator, which ascend.
  func split(at places: [Int], separatorCount: Int) -> [Text] {
    var parts: [Text] = []
    var start = 0
    for place in places {
      parts.append(Text(letters[start..<place]))
      start = place + separatorCount
    }
    parts.append(Text(letters[start...]))
    return parts
  }

  /// The words between white space, at most `countMax` of them split off; what remains is the last.
  func words(countMax: Int, fromEnd: Bool) -> [Text] {
    if fromEnd {
      return reversed.words(countMax: countMax, fromEnd: false).reversed().map(\.reversed)
    }
    var words: [Text] = []
    var rest = letters.drop { $0.isSpace }
    while !rest.isEmpty {
      if words.count == countMax {
        words.append(Text(rest))
        break
      }
      let word = rest.prefix { !$0.isSpace }
      words.append(Text(word))
      rest = rest.dropFirst(word.count).drop { $0.isSpace }
    }
    return words
  }
}
