import MoECore
import MoEServer
import MoETestSupport
import Testing

/// Looking for texts, beside the plainest way to.
@Suite struct TextSearchTests {
  private static func starts(of wanted: [UInt8], in text: [UInt8]) -> [Int] {
    text.indices.filter { text[$0...].starts(with: wanted) }
  }

  @Test(arguments: Fuzz.seeds(8))
  func findsWhatIsThereFuzz(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      // Few letters, so that much repeats.
      func letters(_ counts: ClosedRange<Int>) -> [UInt8] {
        (0..<Int.random(in: counts, using: &random)).map { _ in
          .random(in: 0x61...0x62, using: &random)
        }
      }
      let (wanted, text) = (letters(1...5), letters(0...30))
      let starts = Self.starts(of: wanted, in: text)
      #expect(TextSearch.firstStart(of: wanted, in: text) == starts.first, "seed \(seed)")
      #expect(
        TextSearch.lastEnd(of: wanted, in: text) == starts.last.map { $0 + wanted.count },
        "seed \(seed)")
    }
  }

  /// A text that makes the plainest way take the product of both lengths.
  @Test func takesNoLongerForWhatRepeats() {
    let text = [UInt8](repeating: 0x61, count: 2_000_000)
    #expect(TextSearch.lastEnd(of: [0x62] + text.prefix(1_000_000), in: text) == nil)
    #expect(TextSearch.firstStart(of: text.prefix(1_000_000) + [0x62], in: text) == nil)
    #expect(TextSearch.firstStart(of: [], in: text) == nil)
  }
}
