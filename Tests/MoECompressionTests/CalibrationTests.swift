import FoundationEssentials
import MoECompression
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoETestSupport
import Testing

/// The rows that experts are calibrated with.
@Suite struct CalibrationTests {
  private final class Choice {
    private let memory: AlignedBuffer
    let selection: Selection

    /// (row, rank): experts; -1 for none.
    init(_ experts: [[Int]], weights: [[Float]]) throws {
      let (count, ranks) = (experts.count, experts[0].count)
      memory = try AlignedBuffer(byteCount: 8 * count * ranks)
      let numbers = memory.words(count: 2 * count * ranks)
      for (row, chosen) in experts.enumerated() {
        for (rank, expert) in chosen.enumerated() {
          numbers[row * ranks + rank] = expert < 0 ? UInt32.max : UInt32(expert)
        }
      }
      let floats = memory.floats(atByteOffset: 4 * count * ranks, count: count * ranks)
      floats.copy(from: weights.flatMap { $0 })
      selection = Selection(
        tokenCount: count, expertsPerToken: ranks,
        experts: numbers.slice(0, count: count * ranks), weights: floats, expertStride: ranks,
        weightStride: ranks)
    }
  }

  private static func rows(
    of expert: Int, _ rows: CalibrationRows, scaled: Bool = false, roomRowCount: Int = 3
  ) throws -> [[Float]] {
    let room = try OwnedRows(
      [Float](repeating: 0, count: roomRowCount * rows.columnCount),
      columnCount: rows.columnCount)
    var found: [[Float]] = []
    try withExtendedLifetime(room) {
      try rows.forEachChunk(of: expert, scaled: scaled, room.rows) { chunk in
        #expect((1...roomRowCount).contains(chunk.rowCount))
        for row in 0..<chunk.rowCount { found.append(chunk.row(row).array()) }
      }
    }
    return found
  }

  @Test(arguments: [1 << 20, 100, 0])
  func expertsGetTheRowsThatGoToThem(_ memoryByteCount: Int) throws {
    let folder = try TemporaryFolder()
    let (tokenCount, columnCount, expertCount) = (200, 5, 6)
    let rows = try CalibrationRows(
      layer: 3, columnCount: columnCount, expertCount: expertCount, tokenCount: tokenCount,
      memoryByteCount: memoryByteCount, folder: folder.url.path)
    #expect(rows.tokenCountMax == 4 * 200 / 6)
    var random = SeededGenerator(seed: 1)
    var wanted = [[[Float]]](repeating: [], count: expertCount)
    var weights = [[Float]](repeating: [], count: expertCount)
    var offered = [Int](repeating: 0, count: expertCount)
    for start in stride(from: 0, to: tokenCount, by: 8) {
      let values = (0..<8).map { row in
        (0..<columnCount).map { Float((start + row) * 10 + $0) }
      }
      // Expert 0 takes every row, and no more than it may keep.
      let experts = (0..<8).map { row in
        [0, 1 + Int.random(in: 0..<4, using: &random), row % 3 == 0 ? -1 : 5]
      }
      let shares = experts.map { chosen in chosen.map { Float($0 + 1) / 16 } }
      let choice = try Choice(experts, weights: shares)
      let owned = try OwnedRows(values.flatMap { $0 }, columnCount: columnCount)
      try withExtendedLifetime((choice, owned)) {
        try rows.append(owned.rows, choice.selection) { $0 != 6 }
      }
      for row in 0..<8 where row != 6 {
        for (rank, expert) in experts[row].enumerated() where expert >= 0 {
          offered[expert] += 1
          guard wanted[expert].count < rows.tokenCountMax else { continue }
          wanted[expert].append(values[row])
          weights[expert].append(shares[row][rank])
        }
      }
    }
    #expect(rows.tokenCount == 175 && rows.rowCount <= 175)
    for expert in 0..<expertCount {
      #expect(try Self.rows(of: expert, rows) == wanted[expert])
      #expect(rows.shares[expert].weights == weights[expert])
      #expect(rows.shares[expert].offeredCount == offered[expert])
      let scaled = zip(wanted[expert], weights[expert]).map { row, weight in
        row.map { $0 * weight }
      }
      #expect(try Self.rows(of: expert, rows, scaled: true, roomRowCount: 50) == scaled)
    }
    #expect(wanted[0].count == rows.tokenCountMax && offered[0] == 175)
  }

  /// A row that goes only to experts that are full takes no room.
  @Test func rowsThatNobodyKeepsAreNotStored() throws {
    let rows = try CalibrationRows(
      layer: 0, columnCount: 2, expertCount: 4, tokenCount: 4, memoryByteCount: 1 << 16,
      folder: nil)
    #expect(rows.tokenCountMax == 4)
    let owned = try OwnedRows([Float](repeating: 1, count: 20), columnCount: 2)
    let choice = try Choice(
      (0..<10).map { _ in [2] }, weights: (0..<10).map { _ in [1] })
    try withExtendedLifetime((owned, choice)) {
      try rows.append(owned.rows.rows(0, count: 4), choice.selection.rows(0, count: 4))
      try rows.append(owned.rows.rows(4, count: 6), choice.selection.rows(4, count: 6))
    }
    #expect(rows.rowCount == 4 && rows.tokenCount == 10)
    #expect(rows.shares[2].rows.count == 4 && rows.shares[2].offeredCount == 10)
  }

  @Test func whatCannotBeKeptIsNamed() throws {
    let owned = try OwnedRows([1, 2, 3, 4, 5, 6], columnCount: 2)
    let choice = try Choice([[0], [0], [0]], weights: [[1], [1], [1]])
    func message(_ folder: String?, memory: Int) throws -> String {
      let rows = try CalibrationRows(
        layer: 7, columnCount: 2, expertCount: 1, tokenCount: 3, memoryByteCount: memory,
        folder: folder)
      do {
        try withExtendedLifetime((owned, choice)) {
          try rows.append(owned.rows, choice.selection)
        }
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(try message(nil, memory: 24).isEmpty)
    #expect(try message(nil, memory: 16).contains("2 rows of calibration text fill the memory"))
    #expect(try message("/nonexistent", memory: 16).contains("/nonexistent: "))
    owned.rows.row(1)[0] = .nan
    #expect(try message(nil, memory: 24).contains("layer 7"))
    withExtendedLifetime(owned) {}
  }

  /// The recorder joins what the experts read with where it goes, and leaves special tokens out, as
  /// well as the rows that predict them.
  @Test func aRecorderKeepsWhatADecoderShows() throws {
    let kept = try CalibrationRows(
      layer: 2, columnCount: 3, expertCount: 2, tokenCount: 6, memoryByteCount: 1 << 16,
      folder: nil)
    let recorder = CalibrationRecorder([kept]) { $0 == 99 }
    // Two sequences: the second begins with a token that is not predicted from row 2.
    recorder.begin([1, 99, 3, 99, 5, 6], [0..<3, 3..<6])
    let values = (0..<18).map { Float($0) }
    for layer in [1, 2] {
      for start in [0, 4] {
        let count = start == 0 ? 4 : 2
        let owned = try OwnedRows(
          Array(values[3 * start..<3 * (start + count)]), columnCount: 3)
        let choice = try Choice(
          (0..<count).map { [($0 + start) % 2] }, weights: (0..<count).map { _ in [0.5] })
        withExtendedLifetime((owned, choice)) {
          recorder.willRoute(layer: layer, start: start, input: owned.rows)
          // The memory serves something else by then.
          owned.rows.clear()
          recorder.didRoute(
            layer: layer, start: start, logits: owned.rows, selection: choice.selection)
        }
      }
    }
    #expect(recorder.failure == nil && kept.tokenCount == 3)
    #expect(try Self.rows(of: 0, kept) == [[6, 7, 8], [12, 13, 14]])
    #expect(try Self.rows(of: 1, kept) == [[15, 16, 17]])
  }
}
