import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// Operations on quantised rows: what they add to the formats' own functions.
@Suite struct OperationProductTests {
  /// A matrix of a format, from random floats for the plain formats and random blocks otherwise.
  private struct Matrix {
    let bytes: Bytes
    let matrix: QuantizedMatrix

    init(_ format: QuantFormat, _ rows: Int, _ columns: Int, seed: UInt64) throws {
      var generator = SeededGenerator(seed: seed)
      bytes = try Bytes(count: max(rows * format.rowByteCount(columnCount: columns), 1))
      bytes.fill(random: &generator)
      if format.name == "F32" {
        for index in 0..<rows * columns {
          unsafe bytes.view.pointer.storeBytes(
            of: Float(generator.nextGaussian()), toByteOffset: 4 * index, as: Float.self)
        }
      }
      matrix = QuantizedMatrix(
        format: format, bytes: bytes.view, rowCount: rows, columnCount: columns)
    }
  }

  private func activations(
    _ x: FloatRows, _ form: ActivationForm, team: WorkerTeam
  ) throws -> (Bytes, ActivationRows) {
    let size = x.rowCount * form.rowByteCount(columnCount: x.columnCount)
    let bytes = try Bytes(count: max(size, 1))
    let rows = ActivationRows(
      bytes.view, rowCount: x.rowCount, columnCount: x.columnCount, form: form)
    team.quantize(x, into: rows)
    return (bytes, rows)
  }

  @Test func productsOfFloatsEqualTheirDefinition() throws {
    let format = try #require(QuantFormat(ggmlType: 0))
    let team = try WorkerTeam(workerCount: 2)
    var generator = SeededGenerator(seed: 1)
    for (rows, columns, tokens) in [(1, 1, 1), (7, 33, 3), (130, 257, 9), (512, 640, 2)] {
      let weights = try Matrix(format, rows, columns, seed: 2)
      let x = Floats(count: tokens * columns, random: &generator)
      let (owner, quantized) = try activations(x.rows(tokens, columns), .f32, team: team)
      let y = Floats(count: tokens * (rows + 3))
      var products = ProductList(capacity: 1)
      products.append(weights.matrix, quantized, into: y.rows(tokens, rows, stride: rows + 3))
      team.multiply(products)
      let w = Floats(count: rows * columns)
      format.dequantize(weights.bytes.view, into: w.view)
      let (wArray, xArray) = (w.array, x.array)
      for token in 0..<tokens {
        for row in 0..<rows {
          let wanted = (0..<columns).reduce(0.0) {
            $0 + Double(wArray[row * columns + $1]) * Double(xArray[token * columns + $1])
          }
          let found = Double(y.array[token * (rows + 3) + row])
          #expect(abs(found - wanted) < 1e-6 * Double(columns).squareRoot() * 4)
        }
      }
      #expect(y.guardsAreIntact)
      withExtendedLifetime(owner) {}
    }
  }

  /// Many segments of uneven size, in every format: each result has the bits of its product alone.
  @Test(arguments: 1...8) func sharingOfSegmentsChangesNoBit(_ workers: Int) throws {
    let (one, team) = (try WorkerTeam(workerCount: 1), try WorkerTeam(workerCount: workers))
    let shapes = [(1, 3), (64, 1), (3, 0), (257, 2), (96, 5), (2, 17), (128, 9)]
    var generator = SeededGenerator(seed: 4)
    var products = ProductList(capacity: shapes.count * QuantFormat.all.count)
    var alone = ProductList(capacity: 1)
    var results: [(together: Floats, alone: Floats)] = []
    var owners: [Bytes] = []
    for format in QuantFormat.all {
      for (rows, tokens) in shapes {
        let weights = try Matrix(format, rows, 512, seed: UInt64(rows))
        let x = Floats(count: tokens * 512, random: &generator)
        let (owner, quantized) = try activations(
          x.rows(tokens, 512), format.activation, team: one)
        owners += [owner, weights.bytes]
        let pair = (together: Floats(count: tokens * rows), alone: Floats(count: tokens * rows))
        products.append(weights.matrix, quantized, into: pair.together.rows(tokens, rows))
        alone.removeAll()
        alone.append(weights.matrix, quantized, into: pair.alone.rows(tokens, rows))
        one.multiply(alone)
        results.append(pair)
      }
    }
    team.multiply(products)
    for pair in results {
      #expect(pair.together.bits == pair.alone.bits)
      #expect(pair.together.guardsAreIntact)
    }
    withExtendedLifetime(owners) {}
  }

  /// Rows of heads give what they give as matrices by themselves, whether heads share their input
  /// or each has its own.
  @Test(arguments: [1, 3, 8]) func headsGiveTheBitsOfTheirRowsAlone(_ workers: Int) throws {
    let (one, team) = (try WorkerTeam(workerCount: 1), try WorkerTeam(workerCount: workers))
    var generator = SeededGenerator(seed: 7)
    let heads = HeadRows(headCount: 5, stride: 37, start: 3, count: 29)
    for format in QuantFormat.all {
      let weights = try Matrix(format, heads.headCount * heads.stride, 256, seed: 8)
      for (tokens, isShared) in [(1, true), (1, false), (6, true), (6, false)] {
        let inputCount = tokens * (isShared ? 1 : heads.headCount)
        let x = Floats(count: inputCount * 256, random: &generator)
        let (owner, input) = try activations(x.rows(inputCount, 256), format.activation, team: one)
        let (stride, width) = (31, 4 * 31 + 29)
        let y = Floats(count: tokens * width)
        var products = ProductList(capacity: heads.headCount)
        products.append(
          weights.matrix, heads, input, into: y.rows(tokens, width), headStride: stride)
        team.multiply(products)
        for token in 0..<tokens {
          for head in 0..<heads.headCount {
            let rowBytes = weights.matrix.rowByteCount
            let rows = QuantizedMatrix(
              format: format,
              bytes: weights.bytes.view.slice(
                (head * heads.stride + heads.start) * rowBytes, count: heads.count * rowBytes),
              rowCount: heads.count, columnCount: 256)
            let wanted = Floats(count: heads.count)
            let number = isShared ? token : token * heads.headCount + head
            format.matmul(rows, input.rows(number, count: 1), into: wanted.rows(1, heads.count))
            let found = y.view.slice(token * width + head * stride, count: heads.count).array()
            // Which NaN random blocks give is not stated.
            let isSame = zip(found, wanted.array).allSatisfy {
              $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN)
            }
            #expect(isSame, "\(format.name) \(token) \(head)")
          }
        }
        #expect(y.guardsAreIntact)
        withExtendedLifetime(owner) {}
      }
    }
  }

  /// A product that is cut into pieces, which workers take from each other: more workers than
  /// processors, so that some are held up while others go on.
  @Test(arguments: [2, 3, 8, 32]) func everyPieceIsDoneInEveryRun(_ workers: Int) throws {
    let (rows, columns) = (2051, 8192)
    let format = try #require(QuantFormat(ggmlType: 8))
    let (one, team) = (try WorkerTeam(workerCount: 1), try WorkerTeam(workerCount: workers))
    let weights = try Matrix(format, rows, columns, seed: 5)
    var generator = SeededGenerator(seed: 6)
    let x = Floats(count: columns, random: &generator)
    let (owner, quantized) = try activations(x.rows(1, columns), format.activation, team: one)
    let (y, wanted) = (Floats(count: rows), Floats(count: rows))
    var products = ProductList(capacity: 1)
    products.append(weights.matrix, quantized, into: y.rows(1, rows))
    var alone = ProductList(capacity: 1)
    alone.append(weights.matrix, quantized, into: wanted.rows(1, rows))
    one.multiply(alone)
    for _ in 0..<100 {
      // The bits of random blocks' products may be NaN: what none of them has marks what is left.
      for row in 0..<rows { y.view[row] = Float(bitPattern: 0x7fc0_1234) }
      team.multiply(products)
      #expect(y.bits == wanted.bits)
    }
    #expect(y.guardsAreIntact)
    withExtendedLifetime(owner) {}
  }

  @Test func anEmptyListIsNoWork() throws {
    let products = ProductList(capacity: 0)
    try WorkerTeam(workerCount: 2).multiply(products)
    #expect(products.count == 0)
  }

  @Test func aFullListIsMisuse() async {
    await #expect(processExitsWith: .failure) {
      let format = try #require(QuantFormat(ggmlType: 0))
      let bytes = try Bytes(count: 64)
      let matrix = QuantizedMatrix(format: format, bytes: bytes.view, rowCount: 1, columnCount: 4)
      let x = ActivationRows(bytes.view, rowCount: 1, columnCount: 4, form: .f32)
      var products = ProductList(capacity: 1)
      products.append(matrix, x, into: Floats(count: 1).rows(1, 1))
      products.append(matrix, x, into: Floats(count: 1).rows(1, 1))
    }
  }

  @Test(arguments: QuantFormat.all.map(\.name))
  func embeddingIsTheRowsOfTheTable(_ name: String) throws {
    let format = try #require(QuantFormat.all.first { $0.name == name })
    let (rows, columns, ids) = (11, 512, (0..<64).map { $0 * 7 % 11 })
    let table = try Matrix(format, rows, columns, seed: 9)
    for workers in [1, 3] {
      let out = Floats(count: ids.count * (columns + 1), offset: 1)
      let indices = Indices(ids)
      try WorkerTeam(workerCount: workers).embed(
        indices.view, from: table.matrix, into: out.rows(ids.count, columns, stride: columns + 1))
      for (index, id) in ids.enumerated() {
        let row = Floats(count: columns)
        let size = format.rowByteCount(columnCount: columns)
        format.dequantize(table.bytes.view.slice(id * size, count: size), into: row.view)
        let start = index * (columns + 1)
        #expect(Array(out.bits[start..<start + columns]) == row.bits)
      }
      #expect(out.guardsAreIntact)
    }
  }

  @Test func anUnknownTokenIsMisuse() async {
    await #expect(processExitsWith: .failure) {
      let table = try Matrix(try #require(QuantFormat(ggmlType: 0)), 4, 8, seed: 1)
      let (out, indices) = (Floats(count: 8), Indices([4]))
      try WorkerTeam(workerCount: 1).embed(
        indices.view, from: table.matrix, into: out.rows(1, 8))
    }
  }

  @Test(arguments: ActivationForm.allCases)
  func quantizedRowsDoNotDependOnTheirCompany(_ form: ActivationForm) throws {
    var generator = SeededGenerator(seed: 8)
    let (rows, columns) = (37, 1024)
    let x = Floats(count: rows * (columns + 1), offset: 1, random: &generator)
    let source = x.rows(rows, columns, stride: columns + 1)
    let size = form.rowByteCount(columnCount: columns)
    let one = try WorkerTeam(workerCount: 1)
    var wanted: [UInt8] = []
    for row in 0..<rows {
      wanted += try activations(source.rows(row, count: 1), form, team: one).0.array.prefix(size)
    }
    for workers in [1, 2, 5] {
      let team = try WorkerTeam(workerCount: workers)
      #expect(try activations(source, form, team: team).0.array == wanted)
    }
  }

  /// The sum as without a scale, rounded once more; and so a looked-up row.
  @Test(arguments: [1, 3]) func aScaleMultipliesWhatTheProductsAre(_ workers: Int) throws {
    let team = try WorkerTeam(workerCount: workers)
    let ids = Indices([5])
    var generator = SeededGenerator(seed: 8)
    for format in QuantFormat.all {
      let weights = try Matrix(format, 70, 256, seed: 9)
      let x = Floats(count: 3 * 256, random: &generator)
      let (owner, input) = try activations(x.rows(3, 256), format.activation, team: team)
      var results: [[Float]] = []
      for scale in [1, Float(0.3)] {
        var matrix = weights.matrix
        matrix.scale = scale
        let (y, row) = (Floats(count: 3 * 20), Floats(count: 256))
        var products = ProductList(capacity: 1)
        products.append(matrix.rows(50, count: 20), input, into: y.rows(3, 20))
        team.multiply(products)
        team.embed(ids.view, from: matrix, into: row.rows(1, 256))
        results.append(y.array + row.array)
      }
      let isScaled = zip(results[0], results[1]).allSatisfy {
        ($0 * 0.3).bitPattern == $1.bitPattern || $1.isNaN
      }
      #expect(isScaled, "\(format.name)")
      withExtendedLifetime(owner) {}
    }
  }

  @Test func gatherCopiesRows() throws {
    var generator = SeededGenerator(seed: 6)
    let (columns, size) = (2048, ActivationForm.q8_K.rowByteCount(columnCount: 2048))
    let picks = (0..<100).map { _ in Int.random(in: 0..<9, using: &generator) }
    let (source, out) = (try Bytes(count: 9 * size), try Bytes(count: picks.count * size))
    source.fill(random: &generator)
    let indices = Indices(picks)
    for workers in [1, 2, 5] {
      try WorkerTeam(workerCount: workers).gather(
        ActivationRows(source.view, rowCount: 9, columnCount: columns, form: .q8_K),
        rows: indices.view,
        into: ActivationRows(
          out.view, rowCount: picks.count, columnCount: columns, form: .q8_K))
      let all = source.array
      #expect(out.array == picks.flatMap { all[$0 * size..<($0 + 1) * size] })
    }
  }
}
