/// The parts of a path such as `folder/NAME-00001-of-00003.gguf`.
package struct ShardName: Sendable {
  /// Everything before the first number: `folder/NAME-`.
  package let prefix: Substring
  /// From one.
  package let number: Int
  package let count: Int
  /// `.gguf`, in the case in which it is written.
  private let suffix: Substring

  /// Nil where the path has another form.
  package init?(path: String) {
    let form =
      /(?<prefix>.*-)(?<number>[0-9]{5})-of-(?<count>[0-9]{5})(?<suffix>\.[Gg][Gg][Uu][Ff])/
      .dotMatchesNewlines()
    guard let match = path.wholeMatch(of: form), let number = Int(match.number),
      let count = Int(match.count), (1...max(count, 1)).contains(number)
    else { return nil }
    prefix = match.prefix
    suffix = match.suffix
    self.number = number
    self.count = count
  }

  /// What the files of a model are called that is written to a path: of several, as the shards that
  /// the path is one of, or else with their numbers before its ending.
  package static func paths(ofModelAt path: String, count: Int) -> [String] {
    guard count > 1 else { return [path] }
    if let name = ShardName(path: path), name.count == count {
      return (1...count).map { name.path(number: $0) }
    }
    let ending = ".gguf"
    let stem = path.lowercased().hasSuffix(ending) ? String(path.dropLast(ending.count)) : path
    return (1...count).map { "\(stem)-\(fiveDigits($0))-of-\(fiveDigits(count))\(ending)" }
  }

  package func path(number: Int) -> String {
    "\(prefix)\(Self.fiveDigits(number))-of-\(Self.fiveDigits(count))\(suffix)"
  }

  static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
