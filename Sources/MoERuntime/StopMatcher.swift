/// Finds the texts that end a generation, wherever tokens cut them, and holds back what may become
/// one.
package struct StopMatcher {
  private let stops: [[UInt8]]
  private let names: [String]
  /// Text that may be the beginning of a stop.
  private var held: [UInt8] = []

  package init(_ stops: [String]) {
    names = stops.filter { !$0.isEmpty }
    self.stops = names.map { Array($0.utf8) }
  }

  /// Text that can be passed on, and the stop that follows it; what comes after that is lost.
  package mutating func push(_ text: String) -> (text: String, stop: String?) {
    if stops.isEmpty { return (text, nil) }
    held += text.utf8
    if let found = firstStop() {
      let before = String(decoding: held[..<found.start], as: UTF8.self)
      held = []
      return (before, names[found.number])
    }
    let count = held.count - lengthOfBeginning()
    // A stop begins with the first byte of a character, so no character is torn apart.
    defer { held.removeFirst(count) }
    return (String(decoding: held[..<count], as: UTF8.self), nil)
  }

  /// What was held back and came to nothing.
  package mutating func finish() -> String {
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }

  /// The stop that ends first, of those the one that begins first.
  private func firstStop() -> (start: Int, number: Int)? {
    for end in 0...held.count {
      let found = stops.indices.filter { held[..<end].hasSuffix(stops[$0]) }
      if let longest = found.max(by: { stops[$0].count < stops[$1].count }) {
        return (end - stops[longest].count, longest)
      }
    }
    return nil
  }

  /// Of the end of the text that is the beginning of a stop, the longest.
  private func lengthOfBeginning() -> Int {
    let most = stops.reduce(0) { max($0, $1.count - 1) }
    return (1...max(1, min(most, held.count))).last { count in
      count <= held.count
        && stops.contains { $0.count > count && $0.starts(with: held.suffix(count)) }
    } ?? 0
  }
}

extension ArraySlice<UInt8> {
  fileprivate func hasSuffix(_ other: [UInt8]) -> Bool {
    count >= other.count && suffix(other.count).elementsEqual(other)
  }
}
