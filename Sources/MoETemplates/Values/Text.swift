/// A string of a template: characters, each with its origin, so that whatever is cut and joined
/// keeps who wrote it.
struct Text: Hashable, Sendable {
  var letters: [Letter]

  init(_ letters: [Letter] = []) { self.letters = letters }

  init(_ slice: ArraySlice<Letter>) { letters = Array(slice) }

  init(_ string: String, _ origin: Origin) {
    letters = string.unicodeScalars.map { Letter($0, origin) }
  }

  var count: Int { letters.count }

  var isEmpty: Bool { letters.isEmpty }

  /// Data where one character is.
  var origin: Origin { letters.contains { $0.origin == .data } ? .data : .template }

  var string: String {
    var scalars = String.UnicodeScalarView()
    for letter in letters { scalars.append(letter.scalar) }
    return String(scalars)
  }

  mutating func append(_ other: Text) { letters += other.letters }

  mutating func append(_ string: String, _ origin: Origin) {
    for scalar in string.unicodeScalars { letters.append(Letter(scalar, origin)) }
  }

  func starts(with other: Text) -> Bool { letters.starts(with: other.letters) }

  func ends(with other: Text) -> Bool {
    count >= other.count && letters.suffix(other.count).elementsEqual(other.letters)
  }

  func precedes(_ other: Text) -> Bool { letters.lexicographicallyPrecedes(other.letters) }
}
