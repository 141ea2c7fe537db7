import MoECore
import MoERuntime
import MoETestSupport
import Testing

/// Texts that end a generation, wherever tokens and characters are cut.
@Suite struct StopTests {
  /// The plain definition: all text at once.
  private static func expected(
    _ text: String, _ stops: [String]
  ) -> (text: String, stop: String?) {
    let bytes = Array(text.utf8)
    for end in 0...bytes.count {
      let found = stops.filter {
        !$0.isEmpty && bytes[..<end].reversed().starts(with: $0.utf8.reversed())
      }
      if let longest = found.max(by: { $0.utf8.count < $1.utf8.count }) {
        return (String(decoding: bytes[..<(end - longest.utf8.count)], as: UTF8.self), longest)
      }
    }
    return (text, nil)
  }

  @Test func everyCutGivesTheSame() {
    let stops = ["\n\n", "User:", "Us", "ü", "ab", "abab", "</s>"]
    for seed in Fuzz.seeds(400) {
      var random = SeededGenerator(seed: seed)
      let letters = ["a", "b", "U", "s", "e", "r", ":", "\n", "ü", "ß", "😀", "<", "/", ">"]
      let text = (0..<Int.random(in: 0...30, using: &random)).map { _ in
        letters.randomElement(using: &random) ?? ""
      }.joined()
      let some = stops.filter { _ in Bool.random(using: &random) }
      let wanted = Self.expected(text, some)
      var matcher = StopMatcher(some)
      var (found, stop): (String, String?) = ("", nil)
      var rest = Substring(text)
      while stop == nil, !rest.isEmpty {
        let piece = rest.prefix(Int.random(in: 1...4, using: &random))
        rest = rest.dropFirst(piece.count)
        let result = matcher.push(String(piece))
        found += result.text
        stop = result.stop
      }
      if stop == nil { found += matcher.finish() }
      #expect(found == wanted.text && stop == wanted.stop, "seed \(seed): \(text)")
    }
  }

  @Test func textIsNotHeldBackForNothing() {
    var matcher = StopMatcher(["User:"])
    #expect(matcher.push("Hello U").text == "Hello ")
    #expect(matcher.push("nd").text == "Und")
    #expect(matcher.push("Use").text == "")
    #expect(matcher.finish() == "Use")
  }
}
