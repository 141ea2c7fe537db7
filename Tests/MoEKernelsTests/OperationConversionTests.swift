import MoECore
import MoEKernels
import MoESynthetic
import MoETestSupport
import Testing

/// Stored forms, each against its definition, element by element.
@Suite struct OperationConversionTests {
  /// Where a row of the source goes to.
  private func target(_ row: Int, of count: Int, _ takesTurns: Bool) -> Int {
    takesTurns ? row % 2 * (count / 2) + row / 2 : row
  }

  private func convert(
    _ conversion: StoredConversion, to format: QuantFormat, rows: Int, columns: Int,
    stored: [UInt8], scales: [UInt8]? = nil, workers: Int
  ) throws -> [UInt8] {
    let team = try WorkerTeam(workerCount: workers)
    let out = try Bytes(count: rows * format.rowByteCount(columnCount: columns))
    let source = try Bytes(count: stored.count)
    for (index, byte) in stored.enumerated() {
      unsafe source.view.pointer.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
    let factors = try Bytes(count: max(scales?.count ?? 0, 1))
    for (index, byte) in (scales ?? []).enumerated() {
      unsafe factors.view.pointer.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
    team.convert(
      conversion, to: format, rowCount: rows, columnCount: columns, stored: source.view,
      scales: scales == nil ? nil : factors.view, into: out.view)
    return (0..<out.view.count).map {
      unsafe out.view.pointer.load(fromByteOffset: $0, as: UInt8.self)
    }
  }

  private func random(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  @Test(arguments: [false, true], [1, 3])
  func neighboursOfMXFP4AreTakenApart(_ takesTurns: Bool, _ workers: Int) throws {
    let format = try #require(QuantFormat.all.first { $0.name == "MXFP4" })
    var generator = SeededGenerator(seed: 1)
    let (rows, columns) = (134, 96)
    let quants = random(rows * columns / 2, &generator)
    // The largest exponent would be infinite.
    let scales = random(rows * columns / 32, &generator).map { min($0, 250) }
    let found = format.floats(
      try convert(
        StoredConversion(.mxfp4, takesTurns: takesTurns), to: format, rows: rows,
        columns: columns, stored: quants, scales: scales, workers: workers))
    let values: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    for row in 0..<rows {
      for column in 0..<columns {
        let index = row * columns + column
        let bits = quants[index / 2] >> (index % 2 == 0 ? 0 : 4) & 15
        let scale = Float(sign: .plus, exponent: Int(scales[index / 32]) - 127, significand: 1)
        let wanted = scale * (bits < 8 ? values[Int(bits)] : -values[Int(bits - 8)])
        #expect(found[target(row, of: rows, takesTurns) * columns + column] == wanted)
      }
    }
  }

  @Test(arguments: [1, 3]) func floatsOf8BitsAreScaledByBlocks(_ workers: Int) throws {
    let format = try #require(QuantFormat.all.first { $0.name == "BF16" })
    var generator = SeededGenerator(seed: 2)
    let (rows, columns) = (270, 200)
    let stored = random(rows * columns, &generator)
    let scales = (0..<3 * 2).map { _ in Float.random(in: 0.001...2, using: &generator) }
    let found = format.floats(
      try convert(
        StoredConversion(.f8), to: format, rows: rows, columns: columns, stored: stored,
        scales: scales.flatMap { value in
          (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
        },
        workers: workers))
    for row in 0..<rows {
      for column in 0..<columns {
        let byte = Int(stored[row * columns + column])
        let (exponent, fraction) = (byte >> 3 & 15, Double(byte & 7) / 8)
        if byte & 127 == 127 {
          #expect(found[row * columns + column].isNaN)
          continue
        }
        var value = exponent == 0 ? fraction / 64 : 1 + fraction
        for _ in 0..<max(0, exponent - 7) { value *= 2 }
        if exponent > 0 { for _ in 0..<max(0, 7 - exponent) { value /= 2 } }
        let exact = (byte > 127 ? -value : value) * Double(scales[row / 128 * 2 + column / 128])
        // Half a unit of eight bits.
        #expect(abs(Double(found[row * columns + column]) - exact) <= abs(exact) / 256)
      }
    }
  }

  @Test(arguments: [false, true], [1, 3])
  func columnsBecomeRowsAndHalvesFloats(_ takesTurns: Bool, _ workers: Int) throws {
    var generator = SeededGenerator(seed: 3)
    let (rows, columns) = (150, 37)
    for name in ["F32", "BF16"] {
      let format = try #require(QuantFormat.all.first { $0.name == name })
      let size = format.blockByteCount
      let stored = random(rows * columns * size, &generator)
      let found = try convert(
        StoredConversion(.columns, takesTurns: takesTurns), to: format, rows: rows,
        columns: columns, stored: stored, workers: workers)
      for row in 0..<rows {
        for column in 0..<columns {
          let start = (target(row, of: rows, takesTurns) * columns + column) * size
          let source = (column * rows + row) * size
          #expect(found[start..<start + size].elementsEqual(stored[source..<source + size]))
        }
      }
    }
    let floats = try #require(QuantFormat(ggmlType: 0))
    for type in [UInt32(1), 30] {
      let source = try #require(QuantFormat(ggmlType: type))
      let stored = (0..<rows).flatMap { [UInt8($0), UInt8(60)] }
      let found = floats.floats(
        try convert(
          StoredConversion(.floats(formatID: type), takesTurns: takesTurns), to: floats,
          rows: rows, columns: 1, stored: stored, workers: workers))
      let wanted = source.floats(stored)
      for row in 0..<rows { #expect(found[target(row, of: rows, takesTurns)] == wanted[row]) }
    }
  }
}
