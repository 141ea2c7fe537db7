import MoECore
import MoEPlatform
import MoEServer
import MoETestSupport
import Testing

@Suite struct LineReaderTests {
  private static func lines(_ bytes: [UInt8], byteCountMax: Int) throws -> [FileLine] {
    var reader = LineReader(byteCountMax: byteCountMax) { offset, count in
      // Files may give less than was asked for only where they end; blocks of any size are read.
      Array(bytes.dropFirst(offset).prefix(min(count, 7)))
    }
    var lines: [FileLine] = []
    while let line = try reader.next() { lines.append(line) }
    return lines
  }

  @Test(arguments: Fuzz.seeds(50000, iterationsPerRun: 100))
  func readsWhatSplittingFindsFuzz(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
      [0x0A, 0x0A, 0x0D, 0x20, 0x61, 0x62].randomElement(using: &random) ?? 0x61 as UInt8
    }
    let most = Int.random(in: 0...20, using: &random)
    var wanted: [FileLine] = []
    var offset = 0
    let parts = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() where index + 1 < parts.count || !part.isEmpty {
      wanted.append(
        FileLine(
          number: index + 1, offset: offset, byteCount: part.count,
          content: part.count <= most ? Array(part) : nil, isEnded: index + 1 < parts.count))
      offset += part.count + 1
    }
    #expect(try Self.lines(bytes, byteCountMax: most) == wanted, "seed \(seed)")
  }

  @Test func blankLinesHaveNothingButSpace() throws {
    let lines = try Self.lines(Array(" \t\r\n{}\n\n  x".utf8), byteCountMax: 100)
    #expect(lines.map(\.isBlank) == [true, false, true, false])
  }
}
