internal import MoECore
internal import MoEKernels

/// Products with weights of every format, for one token and for many.
enum MatMulBenchmark {
  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    (QuantFormat.all + QuantFormat.bundleFormats).flatMap { format in
      [1, 2, 8, 64, 512].map { tokens in
        Benchmark(name: "matmul/\(format.name)/\(tokens)") {
          try prepare(format, tokens: tokens, context)
        }
      }
    }
  }

  private static func prepare(
    _ format: QuantFormat, tokens: Int, _ context: BenchmarkContext
  ) throws -> Benchmark.Prepared {
    let columns = context.size(4096, toy: 512)
    // Of coded rows about as many as of packed ones.
    let isCoded = format == .qmoe
    let rowByteCount = (isCoded ? .ternary : format).rowByteCount(columnCount: columns)
    // Few tokens: more weights than caches hold, since every one is used once. Many: a matrix of a
    // model's size, since the products take the time.
    let rows = context.size(tokens <= 8 ? (128 << 20) / rowByteCount : 2048, toy: 24)
    var weights = try BenchmarkMemory(byteCount: rows * rowByteCount)
    var byteCount = rows * rowByteCount
    if QuantFormat.bundleFormats.contains(format) {
      BenchmarkTernary.fill(weights.bytes, rowCount: rows, columnCount: columns)
    } else {
      fill(weights.bytes, format)
    }
    if isCoded {
      (weights, byteCount) = try BenchmarkTernary.coded(
        weights.bytes, rowCount: rows, columnCount: columns)
    }
    let matrix = QuantizedMatrix(
      format: format, bytes: weights.bytes, rowCount: rows, columnCount: columns)
    let x = try BenchmarkMemory.floats(tokens, columns, seed: 1)
    let activations = try BenchmarkMemory.activations(of: x.rows, format.activation, context.team)
    let y = try BenchmarkMemory.floats(tokens, rows)
    var products = ProductList(capacity: 1)
    products.append(matrix, activations.rows, into: y.rows)
    return Benchmark.Prepared(
      byteCount: tokens <= 8 ? byteCount : 0,
      operationCount: 2 * rows * columns * tokens, multiplyAddCount: rows * columns * tokens,
      memory: [weights, x.memory, activations.memory, y.memory], goal: tokens == 1 ? 0.7 : nil,
      run: { context.team.multiply(products) },
      isRight: { try isRight(y.rows, matrix, activations.rows) })
  }

  /// Samples of the result have the bits of a row and token alone, and are near the reference's.
  private static func isRight(
    _ y: FloatRows, _ matrix: QuantizedMatrix, _ x: ActivationRows
  ) throws -> Bool {
    let alone = try BenchmarkMemory.floats(1, 1)
    defer { withExtendedLifetime(alone.memory) {} }
    for sample in 0..<64 {
      let (row, token) = (sample * 1999 % matrix.rowCount, sample * 7 % x.rowCount)
      let weights = matrix.rows(row, count: 1)
      let activations = ActivationRows(
        x.bytes.slice(token * x.rowByteCount, count: x.rowByteCount), rowCount: 1,
        columnCount: x.columnCount, form: x.form)
      let found = y.row(token)[row]
      matrix.format.matmul(weights, activations, into: alone.rows)
      guard found.bitPattern == alone.view[0].bitPattern else { return false }
      matrix.format.matmul(weights, activations, into: alone.rows, at: .scalar)
      guard abs(found - alone.view[0]) <= 1e-3 * max(1, abs(found)) else { return false }
    }
    return true
  }

  /// Random blocks whose elements are of ordinary size, over and over.
  private static func fill(_ bytes: ByteView, _ format: QuantFormat) {
    var generator = SeededGenerator(seed: 2)
    let size = format.blockByteCount
    let distinct = min(bytes.count / size, 4093)
    for block in 0..<distinct {
      fillBlock(bytes.slice(block * size, count: size), format, &generator)
    }
    for block in distinct..<bytes.count / size {
      unsafe (bytes.pointer + block * size).copyMemory(
        from: bytes.pointer + block % distinct * size, byteCount: size)
    }
  }

  private static func fillBlock(
    _ block: ByteView, _ format: QuantFormat, _ generator: inout SeededGenerator
  ) {
    var isOrdinary = false
    while !isOrdinary {
      for offset in 0..<block.count {
        unsafe block.pointer.storeBytes(
          of: UInt8(truncatingIfNeeded: generator.next()), toByteOffset: offset, as: UInt8.self)
      }
      isOrdinary = unsafe withUnsafeTemporaryAllocation(
        of: Float.self, capacity: format.blockElementCount
      ) { buffer in
        guard let start = buffer.baseAddress else { return true }
        let values = unsafe FloatView(start, count: buffer.count)
        format.dequantize(block, into: values)
        // Not tiny ones either: with subnormal numbers a processor takes many times as long.
        let largest = (0..<values.count).reduce(0 as Float) {
          values[$1].isFinite ? max($0, abs(values[$1])) : .infinity
        }
        return (0.0625...4).contains(largest)
      }
    }
  }
}
