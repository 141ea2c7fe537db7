import MoECore
import MoEKernels
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

/// Keys' matrix of latent attention, where a file has it in one tensor with that of values.
@Suite struct TransposedMatrixTests {
  private static let (headCount, keyRowCount, valueRowCount, columnCount) = (3, 5, 4, 256)

  /// The joined tensor as a table finds it.
  private static func tensor(_ format: QuantFormat) -> DenseTensor {
    let rowCount = headCount * (keyRowCount + valueRowCount)
    return DenseTensor(
      name: "joined", format: format, rowCount: rowCount, columnCount: columnCount,
      isVector: false,
      extent: FileExtent(
        fileIndex: 0, offset: 0,
        byteCount: rowCount * format.rowByteCount(columnCount: columnCount)),
      transposed: TransposedRows(
        role: .keyFromLatent, headCount: headCount, rowCount: keyRowCount))
  }

  @Test(arguments: QuantFormat.all.map(\.name))
  func eachHeadsKeyRowsBecomeColumns(_ name: String) throws {
    let format = try #require(QuantFormat.all.first { $0.name == name })
    let transposed = try #require(TransposedMatrix(of: Self.tensor(format)))
    let extent = Self.tensor(format).extent
    var generator = SeededGenerator(seed: 5)
    let source = try AlignedBuffer(byteCount: extent.byteCount)
    let bytes = source.bytes(count: extent.byteCount)
    for index in 0..<bytes.count {
      // No exponents as large as those of infinities.
      unsafe bytes.pointer.storeBytes(
        of: UInt8(truncatingIfNeeded: generator.next()) & 0x3b, toByteOffset: index, as: UInt8.self)
    }
    let memory = try AlignedBuffer(byteCount: transposed.byteCount)
    let matrix = transposed.make(from: bytes, in: memory.bytes(count: transposed.byteCount))
    #expect(transposed.role == .keyFromLatent)
    #expect(matrix.rowCount == Self.headCount * Self.columnCount)
    #expect(matrix.columnCount == Self.keyRowCount)
    #expect(matrix.format == (format.blockElementCount == 1 ? format : QuantFormat(ggmlType: 1)))
    let found = floats(matrix.format, matrix.bytes, count: matrix.rowCount * matrix.columnCount)
    let all = floats(
      format, bytes,
      count: (extent.byteCount / format.blockByteCount)
        * format.blockElementCount)
    let headRowCount = Self.keyRowCount + Self.valueRowCount
    for head in 0..<Self.headCount {
      for column in 0..<Self.columnCount {
        for row in 0..<Self.keyRowCount {
          let value = all[(head * headRowCount + row) * Self.columnCount + column]
          let wanted = format == matrix.format ? value : Float(Float16(value))
          #expect(found[(head * Self.columnCount + column) * Self.keyRowCount + row] == wanted)
        }
      }
    }
    withExtendedLifetime(source) {}
    withExtendedLifetime(memory) {}
  }

  private func floats(_ format: QuantFormat, _ bytes: ByteView, count: Int) -> [Float] {
    format.floats(
      (0..<count / format.blockElementCount * format.blockByteCount).map {
        unsafe bytes.pointer.load(fromByteOffset: $0, as: UInt8.self)
      })
  }
}
