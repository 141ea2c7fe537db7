import Foundation
import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// The dictionary code of QMoE (arXiv 2310.16795), bit by bit, and the sizes that it is published
/// with.
@Suite struct QMoECodeTests {
  init() throws { try QMoECode.prepareEncoder() }

  /// Codewords of one row, by the encoder; the packed row and the code lie before forbidden pages.
  private static func encode(_ digits: [UInt8]) throws -> [UInt16] {
    let row = try GuardedBytes(
      byteCount: QuantFormat.ternary.rowByteCount(columnCount: digits.count), at: .end)
    TernaryRows.pack(digits.span, low: 0xBF80, high: 0x3F80, into: row.bytes)
    let codes = try GuardedBytes(
      byteCount: 2 * QMoECode.codewordCountMax(columnCount: digits.count), at: .end)
    let count = QMoECode.encode(row.bytes, columnCount: digits.count, into: codes.bytes)
    return (0..<count).map { UInt16(codes.bytes[2 * $0]) | UInt16(codes.bytes[2 * $0 + 1]) << 8 }
  }

  private static func decode(_ codewords: [UInt16], columnCount: Int) throws -> [UInt8]? {
    var bytes: [UInt8] = []
    for codeword in codewords { bytes.append(littleEndian: codeword) }
    let codes = try GuardedBytes(bytes, at: .end)
    guard QMoECode.isRow(codes.bytes, columnCount: columnCount) else { return nil }
    let row = try GuardedBytes(
      byteCount: QuantFormat.ternary.rowByteCount(columnCount: columnCount), at: .end)
    row.bytes.fill(with: 0)
    QMoECode.decode(codes.bytes, columnCount: columnCount, into: row.bytes)
    #expect(TernaryRows.isSound(row.bytes, columnCount: columnCount))
    return TernaryRows.digits(row.bytes, columnCount: columnCount)
  }

  /// A codeword's two words as the published table has them: pairs 1 to 7 and 8 to 14, each in 4
  /// bits, over the number of pairs.
  private static func publishedWords(_ codeword: UInt16) -> [UInt32] {
    let digits = QMoECode.digits(ofCodeword: codeword)
    let count = UInt32(digits.count / 2)
    return [0, 7].map { first in
      (first..<max(first, min(first + 7, digits.count / 2))).reduce(count) { word, pair in
        let (low, high) = (UInt32(digits[2 * pair]), UInt32(digits[2 * pair + 1]))
        return word | (low | high << 2) << UInt32(4 + 4 * (pair - first))
      }
    }
  }

  /// The check value of the table that the paper's own program makes.
  @Test func theTableIsThePublishedOne() throws {
    var bytes: [UInt8] = []
    for codeword in 0...UInt16.max {
      for word in Self.publishedWords(codeword) { bytes.append(littleEndian: word) }
    }
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "table")
    try Data(bytes).write(to: url)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/sha256sum")
    process.arguments = [url.path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(
      String(decoding: output, as: UTF8.self).hasPrefix(
        "c09862c453fe122634070a475357ff81a679aff65829d84a56f806c02a54ed45"))
  }

  @Test func entriesHaveThePublishedWords() {
    for (codeword, words) in [
      (0, [1, 1]), (1, [2, 2]), (13, [0x21, 1]), (14, [0x41, 1]), (15, [0x81, 1]),
      (25, [0xE, 0xE]), (100, [0x407, 7]), (65535, [0x0102_000D, 0x20D]),
    ] as [(UInt16, [UInt32])] {
      #expect(Self.publishedWords(codeword) == words, "\(codeword)")
    }
    let singles = (0..<9).map { QMoEOracle.dictionary[[UInt8($0 % 3), UInt8($0 / 3)]] }
    #expect(singles == [0, 12, 13, 14, 326, 327, 15, 328, 329])
  }

  @Test func sequencesHaveThePublishedLengths() {
    var counts = [Int](repeating: 0, count: 15)
    for codeword in 0...UInt16.max { counts[QMoECode.digits(ofCodeword: codeword).count / 2] += 1 }
    #expect(
      counts == [
        0, 9, 65, 233, 577, 1161, 2049, 3305, 4993, 7177, 9921, 13289, 17345, 3843, 1569,
      ])
  }

  @Test func rowsHaveThePublishedCodes() throws {
    var digits = [UInt8](repeating: 0, count: 64)
    (digits[29], digits[40], digits[46], digits[47]) = (1, 2, 1, 2)
    #expect(try Self.encode(digits) == [25, 2003, 2356])
    for (columnCount, codeCount) in [(2080, 75), (6144, 220)] {
      let codes = try Self.encode(Array(repeating: 0, count: columnCount))
      #expect(codes.count == codeCount)
    }
    #expect(
      try Self.encode((0..<16).map { $0 % 2 == 0 ? 1 : 2 }) == Array(repeating: 328, count: 8))
  }

  /// The encoder is the greedy parse, and what is decoded is what was coded: at every width to 130,
  /// and at some to 6144, odd ones among them.
  @Test(arguments: [0, 0.3, 0.6, 0.885, 0.97, 1]) func rowsComeBack(_ zeroShare: Double) throws {
    var random = SeededGenerator(seed: 1)
    for columnCount in Array(1...130) + [255, 768, 1023, 2080, 3072, 4097, 6143, 6144] {
      let digits = TernaryMatrix.digits(columnCount, zeroShare: zeroShare, &random)
      let codes = try Self.encode(digits)
      #expect(try codes == QMoEOracle.codewords(digits), "\(columnCount) columns")
      #expect(try Self.decode(codes, columnCount: columnCount) == digits, "\(columnCount) columns")
    }
  }

  /// A row is as many digits as its columns, and one of zero more where these are odd.
  @Test func whatIsNoRowIsRefused() throws {
    let twoPairs: UInt16 = 1
    let (zeroPair, highInSecond): (UInt16, UInt16) = (0, 15)
    #expect(try Self.decode([twoPairs], columnCount: 4) == [0, 0, 0, 0])
    #expect(try Self.decode([twoPairs], columnCount: 3) == [0, 0, 0])
    for columnCount in [0, 1, 2, 5, 6, 65536] {
      #expect(try Self.decode([twoPairs], columnCount: columnCount) == nil)
    }
    #expect(try Self.decode([zeroPair, highInSecond], columnCount: 4) == [0, 0, 0, 2])
    #expect(try Self.decode([zeroPair, highInSecond], columnCount: 3) == nil)
    #expect(try Self.decode([twoPairs, zeroPair], columnCount: 4) == nil)
    #expect(try Self.decode([], columnCount: 2) == nil)
  }

  /// Bits of a weight with the paper's own account of rows: 16 for a codeword, and 64 for each row
  /// and one more.
  private static func bitsPerWeight(
    rowCount: Int, columnCount: Int, zeroShare: Double, seed: UInt64
  ) throws -> (codes: Double, all: Double) {
    var random = SeededGenerator(seed: seed)
    var count = 0
    for _ in 0..<rowCount {
      count += try encode(
        TernaryMatrix.digits(columnCount, zeroShare: zeroShare, &random)
      ).count
    }
    let weights = Double(rowCount * columnCount)
    return (
      Double(16 * count) / weights, Double(16 * count + 64 * (rowCount + 1)) / weights
    )
  }

  /// Measured for the fact sheet by a program of another language, at width 2080.
  @Test(arguments: [
    (0.857, 0.850, 0.881), (0.885, 0.742, 0.773), (0.950, 0.593, 0.624), (0.5, 2.938, 2.969),
    (1.0 / 3, 4.143, 4.174),
  ])
  func sizesAreThoseOfTheSweep(_ zeroShare: Double, _ codes: Double, _ all: Double) throws {
    let found = try Self.bitsPerWeight(
      rowCount: 200, columnCount: 2080, zeroShare: zeroShare, seed: 2)
    #expect(abs(found.codes / codes - 1) < 0.01, "\(found)")
    #expect(abs(found.all / all - 1) < 0.01, "\(found)")
  }

  /// c2048's matrices, drawn from the assumed distribution, are 21.11 times smaller than in 16
  /// bits; at the sparsities of base128 and large128 it is less by as much as the sweep's sizes and
  /// the shapes' rows say.
  @Test(arguments: [
    ([(2080, 6144), (6144, 2080)], 0.885, 21.11), ([(2080, 6144), (6144, 2080)], 0.886, 21.2),
    ([(768, 3072), (3072, 768)], 0.857, 17.65), ([(1024, 4096), (4096, 1024)], 0.864, 18.65),
  ])
  func compressionIsAsPublished(
    _ shapes: [(rowCount: Int, columnCount: Int)], _ zeroShare: Double, _ ratio: Double
  ) throws {
    // Rows are alike: a part of them has the same bits a weight.
    let bits = try shapes.map {
      try Self.bitsPerWeight(
        rowCount: 150, columnCount: $0.columnCount, zeroShare: zeroShare, seed: 3
      ).all
    }
    let found = 16 / (bits.reduce(0, +) / Double(bits.count))
    #expect(abs(found / ratio - 1) < 0.02, "\(found)")
    if zeroShare >= 0.885 { #expect(16 / found <= 0.9) }
  }
}
