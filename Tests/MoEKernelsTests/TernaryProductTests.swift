import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// Products of ternary rows, packed and coded: sums of integers are exact, so every level and both
/// forms have the same bits, which are those of the definition.
@Suite struct TernaryProductTests {
  init() throws { try QMoECode.prepare() }

  struct Form: CustomTestStringConvertible, Sendable {
    let format: QuantFormat
    let level: InstructionSet
    var testDescription: String { "\(format.name) \(level.name)" }

    static let all = QuantFormat.bundleFormats.flatMap { format in
      InstructionSet.allCases.filter { format.hasProduct(at: $0) }
        .map { Form(format: format, level: $0) }
    }
  }

  private static func bytes(_ matrix: TernaryMatrix, _ format: QuantFormat) throws -> [UInt8] {
    try format == .ternary ? matrix.packed() : matrix.coded()
  }

  private static func activations(_ tokenCount: Int, _ columnCount: Int, seed: UInt64) -> [[Float]]
  {
    var random = SeededGenerator(seed: seed)
    return (0..<tokenCount).map { _ in
      (0..<columnCount).map { _ in Float(random.nextGaussian()) }
    }
  }

  /// (token, row): the integers' sums, and what the format says of them, in double precision.
  private static func defined(_ matrix: TernaryMatrix, _ x: [[Float]]) -> [[Float]] {
    x.map { x in
      let rounded = RoundedActivations(x, form: .q13)
      return matrix.digits.indices.map { row in
        var sums = [0, 0, 0]
        for (digit, quant) in zip(matrix.digits[row], rounded.quants) { sums[Int(digit)] += quant }
        let (low, high) = matrix.levels[row]
        let sum =
          Double(Float(bitPattern: UInt32(low) << 16)) * Double(sums[1])
          + Double(Float(bitPattern: UInt32(high) << 16)) * Double(sums[2])
        return Float(sum * Double(rounded.scales[0]))
      }
    }
  }

  /// Multiplies weights that lie before a forbidden page.
  private static func product(
    _ matrix: TernaryMatrix, _ x: [[Float]], _ form: Form, edge: GuardedBytes.Edge = .end
  ) throws -> [[Float]] {
    let columnCount = matrix.columnCount
    let weights = try GuardedBytes(bytes(matrix, form.format), at: edge)
    let rowByteCount = ActivationForm.q13.rowByteCount(columnCount: columnCount)
    let rows = try GuardedBytes(byteCount: x.count * rowByteCount, at: .start)
    let floats = try AlignedBuffer(byteCount: 4 * columnCount)
    for (token, values) in x.enumerated() {
      for (column, value) in values.enumerated() {
        floats.floats(count: columnCount)[column] = value
      }
      ActivationForm.q13.quantize(
        floats.floats(count: columnCount),
        into: rows.bytes.slice(token * rowByteCount, count: rowByteCount))
    }
    let y = try AlignedBuffer(byteCount: 4 * x.count * matrix.rowCount)
    let output = FloatRows(
      y.floats(count: x.count * matrix.rowCount), rowCount: x.count, columnCount: matrix.rowCount)
    form.format.matmul(
      QuantizedMatrix(
        format: form.format, bytes: weights.bytes, rowCount: matrix.rowCount,
        columnCount: columnCount),
      ActivationRows(rows.bytes, rowCount: x.count, columnCount: columnCount, form: .q13),
      into: output, at: form.level)
    return (0..<x.count).map { output.row($0).array() }
  }

  private static let columnCounts = [
    1, 2, 3, 27, 28, 29, 31, 32, 33, 63, 64, 65, 95, 128, 223, 224, 225, 256, 289, 768, 2080, 2081,
  ]

  @Test(arguments: Form.all, [0.885, 0.4]) func equalsItsDefinition(
    _ form: Form, _ zeroShare: Double
  ) throws {
    for columnCount in Self.columnCounts.thinned {
      let seed = UInt64(columnCount)
      let matrix = TernaryMatrix(
        rowCount: 7, columnCount: columnCount, zeroShare: zeroShare, seed: seed)
      let x = Self.activations(9, columnCount, seed: seed + 1)
      let wanted = Self.defined(matrix, x)
      for tokenCount in 1...9 {
        let found = try Self.product(matrix, Array(x.prefix(tokenCount)), form)
        #expect(found == Array(wanted.prefix(tokenCount)), "\(columnCount), \(tokenCount) tokens")
      }
    }
  }

  /// The largest sums that 16 and 32 bits must hold: all weights high, all activations the largest.
  @Test(arguments: Form.all) func holdsTheLargestSums(_ form: Form) throws {
    for (columnCount, zeroShare) in [(65536, 0.0), (65535, 1.0)] {
      let matrix = TernaryMatrix(
        rowCount: 2, columnCount: columnCount, zeroShare: zeroShare, seed: 4)
      for sign in [-1, 1] as [Float] {
        let x = [Array(repeating: 3 * sign, count: columnCount)]
        let five = Array(repeating: x[0], count: 5)
        #expect(try Self.product(matrix, x, form) == Self.defined(matrix, x))
        #expect(try Self.product(matrix, five, form) == Self.defined(matrix, five))
      }
    }
  }

  @Test(arguments: Form.all) func readsNothingBeforeTheWeights(_ form: Form) throws {
    let matrix = TernaryMatrix(rowCount: 3, columnCount: 97, zeroShare: 0.8, seed: 5)
    let x = Self.activations(6, 97, seed: 6)
    #expect(try Self.product(matrix, x, form, edge: .start) == Self.defined(matrix, x))
  }

  @Test(arguments: Form.all) func isNotANumberOnlyForTheTokenWithTheFault(_ form: Form) throws {
    let matrix = TernaryMatrix(rowCount: 3, columnCount: 70, zeroShare: 0.5, seed: 7)
    var x = Self.activations(3, 70, seed: 8)
    x[1][69] = .infinity
    let found = try Self.product(matrix, x, form)
    #expect(found.map { $0.allSatisfy(\.isFinite) } == [true, false, true])
  }

  @Test(arguments: QuantFormat.bundleFormats) func rowsAreDequantised(_ format: QuantFormat) throws
  {
    for columnCount in Self.columnCounts {
      let matrix = TernaryMatrix(
        rowCount: 3, columnCount: columnCount, zeroShare: 0.7, seed: UInt64(columnCount))
      let weights = try GuardedBytes(Self.bytes(matrix, format), at: .end)
      let out = try GuardedBytes(byteCount: 4 * columnCount, at: .end)
      let size = format.rowByteCount(columnCount: columnCount)
      for row in 0..<3 {
        let floats = unsafe FloatView(
          out.bytes.pointer.assumingMemoryBound(to: Float.self), count: columnCount)
        format.dequantize(weights.bytes.slice(row * size, count: size), into: floats)
        #expect(floats.array() == matrix.values[row])
      }
    }
  }

  /// Shared among workers in one list with a product of another format, whatever their number.
  @Test func theTeamGivesTheSameBits() throws {
    let matrix = TernaryMatrix(rowCount: 301, columnCount: 512, zeroShare: 0.885, seed: 9)
    let x = Self.activations(3, 512, seed: 10)
    let wanted = Self.defined(matrix, x)
    for workerCount in [1, 2, 5] {
      let team = try WorkerTeam(workerCount: workerCount)
      for format in QuantFormat.bundleFormats {
        let weights = try GuardedBytes(Self.bytes(matrix, format), at: .end)
        let rows = try AlignedBuffer(byteCount: 4 * 3 * 512)
        let view = FloatRows(rows.floats(count: 3 * 512), rowCount: 3, columnCount: 512)
        for (token, values) in x.enumerated() {
          for (column, value) in values.enumerated() { view.row(token)[column] = value }
        }
        let byteCount = 3 * ActivationForm.q13.rowByteCount(columnCount: 512)
        let quants = try AlignedBuffer(byteCount: byteCount)
        let activations = ActivationRows(
          quants.bytes(count: byteCount), rowCount: 3, columnCount: 512, form: .q13)
        team.quantize(view, into: activations)
        let y = try AlignedBuffer(byteCount: 4 * 3 * 301)
        let output = FloatRows(y.floats(count: 3 * 301), rowCount: 3, columnCount: 301)
        var products = ProductList(capacity: 1)
        products.append(
          QuantizedMatrix(
            format: format, bytes: weights.bytes, rowCount: 301, columnCount: 512), activations,
          into: output)
        team.multiply(products)
        #expect((0..<3).map { output.row($0).array() } == wanted, "\(format.name) \(workerCount)")
      }
    }
  }

  @Test func filesOfModelsDoNotHaveTheseFormats() {
    for format in QuantFormat.bundleFormats {
      #expect(QuantFormat(ggmlType: format.ggmlType) == nil)
      #expect(QuantFormat(bundleType: format.ggmlType) == format)
      #expect(!QuantFormat.all.contains(format))
    }
  }

  @Test func rowsThatAreNoneAreSeen() throws {
    let matrix = TernaryMatrix(rowCount: 1, columnCount: 40, zeroShare: 0.5, seed: 11)
    let packed = try matrix.packed()
    func isSound(_ change: (inout [UInt8]) -> Void) throws -> Bool {
      var bytes = packed
      change(&bytes)
      let row = try GuardedBytes(bytes, at: .end)
      return TernaryRows.isSound(row.bytes, columnCount: 40)
    }
    #expect(try isSound { _ in })
    // Infinite, or of the wrong sign.
    for (index, byte) in [(1, 0xFF), (3, 0x7F), (1, 0x3F), (3, 0xBF)] as [(Int, UInt8)] {
      #expect(try !isSound { ($0[index], $0[index - 1]) = (byte, 0x80) })
    }
    // Low and high at once; a digit behind the last.
    #expect(try !isSound { ($0[4], $0[8]) = ($0[4] | 1, $0[8] | 1) })
    #expect(try !isSound { $0[13] |= 1 })
    #expect(try !isSound { $0.removeLast() })
  }
}
