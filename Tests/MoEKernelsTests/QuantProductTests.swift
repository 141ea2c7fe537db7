import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// Products at every level against double-precision arithmetic and against the scalar reference.
///
/// The bound is the rounding error that the order of summing allows: so many units of 2^-24 of the
/// sum of magnitudes. Integer parts are exact, so it holds for every level alike.
@Suite struct QuantProductTests {
  private func expectProduct(
    _ found: [[Float]], of product: ProductCase, slack: Double = 1, _ what: String
  ) throws {
    let exact = product.exact()
    for token in 0..<product.tokenCount {
      for row in 0..<product.rowCount {
        let (value, unit) = exact[token][row]
        let error = abs(Double(found[token][row]) - value)
        let bound = unit * product.roundingCount * slack + 1e-37
        #expect(error <= bound, "\(what), row \(row), token \(token): off by \(error)")
      }
    }
  }

  @Test(arguments: FormatAtLevel.all)
  func equalsDequantisedWeightsTimesRoundedActivations(_ argument: FormatAtLevel) throws {
    for columnCount in argument.format.columnCounts.thinned {
      let seed = UInt64(columnCount)
      let product = try ProductCase(
        argument.format, rowCount: 9, tokenCount: 9, columnCount: columnCount, seed: seed)
      try expectProduct(
        product.product(at: argument.level), of: product, "columns \(columnCount), seed \(seed)")
    }
  }

  /// Rows enough for panels side by side, one alone and rows left over.
  @Test(arguments: FormatAtLevel.all.filter { $0.level != .scalar })
  func equalsItsDefinitionInPanelsOfRows(_ argument: FormatAtLevel) throws {
    for blockCount in [1, 3, 8] {
      let seed = UInt64(blockCount)
      let product = try ProductCase(
        argument.format, rowCount: 53, tokenCount: 7,
        columnCount: blockCount * argument.format.blockElementCount, seed: seed)
      try expectProduct(
        product.product(at: argument.level), of: product, "blocks \(blockCount), seed \(seed)")
    }
  }

  @Test(arguments: FormatAtLevel.all.filter { $0.level != .scalar })
  func agreesWithTheScalarReference(_ argument: FormatAtLevel) throws {
    for seed in Array(1...5 as ClosedRange<UInt64>).thinned {
      let product = try ProductCase(
        argument.format, rowCount: 33, tokenCount: 6,
        columnCount: 2304 / argument.format.blockElementCount * argument.format.blockElementCount,
        seed: seed)
      let reference = try product.product(at: .scalar)
      let found = try product.product(at: argument.level)
      let units = product.exact()
      for token in 0..<product.tokenCount {
        for row in 0..<product.rowCount {
          let difference = abs(Double(found[token][row]) - Double(reference[token][row]))
          let bound = units[token][row].unit * product.roundingCount
          #expect(difference <= bound, "seed \(seed), row \(row), token \(token)")
        }
      }
    }
  }

  /// Bytes of one value put the quants, and whatever else may be, at their extremes: the largest
  /// products, which a 16-bit intermediate step could lose.
  @Test(arguments: FormatAtLevel.all)
  func holdsForSaturatedBlocksAndActivations(_ argument: FormatAtLevel) throws {
    let format = argument.format
    let columnCount = max(format.blockElementCount * 3, 24)
    for pattern in [0x00, 0x0f, 0x7f, 0x80, 0x88, 0xf0, 0xff] as [UInt8] {
      let block = format.saturatedBlock(pattern, seed: UInt64(pattern) + 1)
      let x: [[Float]] = [
        Array(repeating: 1, count: columnCount),
        Array(repeating: -1, count: columnCount),
        (0..<columnCount).map { $0 % 2 == 0 ? 1 : -1 },
        (0..<columnCount).map { $0 % 4 < 2 ? -1 : 1 },
        (0..<columnCount).map { $0 % 32 < 16 ? -1 : 1 },
      ]
      let product = try ProductCase(format, rowCount: 33, x: x, blocks: [block], seed: 1)
      // Scale and minimum may nearly cancel here, which costs what they were larger.
      try expectProduct(
        product.product(at: argument.level), of: product, slack: 64, "pattern \(pattern)")
    }
  }

  @Test(arguments: FormatAtLevel.all, [1e-30, 1e-6, 1e6, 1e30] as [Float])
  func holdsForTinyAndHugeActivations(_ argument: FormatAtLevel, _ factor: Float) throws {
    let format = argument.format
    let columnCount = format.blockElementCount * 4
    var generator = SeededGenerator(seed: 3)
    let x = (0..<5).map { _ in
      (0..<columnCount).map { _ in Float(generator.nextGaussian()) * factor }
    }
    let product = try ProductCase(
      format, rowCount: 17, x: x, blocks: format.randomBlocks(16, seed: 4), seed: 5)
    try expectProduct(product.product(at: argument.level), of: product, "factor \(factor)")
  }

  @Test(arguments: FormatAtLevel.all)
  func isZeroForZeroActivationsAndForZeroBlocks(_ argument: FormatAtLevel) throws {
    let format = argument.format
    let columnCount = format.blockElementCount * 3
    let zeros = try ProductCase(
      format, rowCount: 33, x: Array(repeating: Array(repeating: 0, count: columnCount), count: 5),
      blocks: format.randomBlocks(8, seed: 6), seed: 7)
    #expect(try zeros.product(at: argument.level).allSatisfy { $0.allSatisfy { $0 == 0 } })
    let empty = try ProductCase(
      format, rowCount: 3, x: [(0..<columnCount).map { Float($0) - 7 }],
      blocks: [Array(repeating: 0, count: format.blockByteCount)], seed: 8)
    #expect(try empty.product(at: argument.level).allSatisfy { $0.allSatisfy { $0 == 0 } })
  }

  @Test(arguments: FormatAtLevel.all, [Float.nan, .infinity, -.infinity])
  func isNotANumberOnlyForTheTokenWithTheFault(_ argument: FormatAtLevel, _ fault: Float) throws {
    let format = argument.format
    let columnCount = format.blockElementCount * 2
    var x = (0..<4).map { token in (0..<columnCount).map { Float(($0 + token) % 7) - 3 } }
    x[2][columnCount - 1] = fault
    let product = try ProductCase(
      format, rowCount: 33, x: x, blocks: format.randomBlocks(16, seed: 9), seed: 10)
    let found = try product.product(at: argument.level)
    for (token, values) in found.enumerated() {
      #expect(values.allSatisfy { $0.isFinite == (token != 2) }, "token \(token)")
    }
  }
}
