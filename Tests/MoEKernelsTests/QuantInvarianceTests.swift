import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// A value's bits depend on its weights and activations alone, not on what it is computed with or
/// where it lies.
@Suite struct QuantInvarianceTests {
  @Test(arguments: FormatAtLevel.all)
  func givesTheSameBitsForEveryCountOfRowsAndTokens(_ argument: FormatAtLevel) throws {
    let columnCounts = argument.format.columnCounts.prefix(argument.level == .scalar ? 2 : 11)
    for columnCount in columnCounts.thinned {
      let product = try ProductCase(
        argument.format, rowCount: 9, tokenCount: 9, columnCount: columnCount, seed: 11)
      let whole = try product.product(at: argument.level)
      for rowCount in 1...9 {
        for tokenCount in 1...9 {
          // From the start and from the end, so that a value meets every place in a tile.
          for (row, token) in [(0, 0), (9 - rowCount, 9 - tokenCount)] {
            let (rows, tokens) = (row..<row + rowCount, token..<token + tokenCount)
            let part = try product.product(at: argument.level, rows: rows, tokens: tokens)
            let wanted = whole[tokens].map { Array($0[rows]) }
            #expect(bits(part) == bits(wanted), "columns \(columnCount), \(rows), \(tokens)")
          }
        }
      }
    }
  }

  /// Rows and tokens around the edges of panels (8 and 16 rows, side by side or alone) and of tiles
  /// (4 tokens), columns of one block, of a whole chunk of blocks (2, or 32 of rows alone), and of
  /// several with a remainder.
  @Test(arguments: FormatAtLevel.all.filter { $0.level != .scalar })
  func givesTheSameBitsAtTheEdgesOfPanels(_ argument: FormatAtLevel) throws {
    for blockCount in [1, 2, 3, 7, 32, 33, 70].thinned {
      let product = try ProductCase(
        argument.format, rowCount: 66, tokenCount: 9,
        columnCount: blockCount * argument.format.blockElementCount, seed: 19)
      let alone = try (0..<9).map { token in
        try (0..<66).map { row in
          try product.product(
            at: argument.level, rows: row..<row + 1, tokens: token..<token + 1)[0][0]
        }
      }
      for rowCount in [7, 8, 15, 16, 17, 31, 32, 33, 48, 64, 65] {
        for tokenCount in [1, 2, 3, 4, 5, 7, 8, 9] {
          let (rows, tokens) = (66 - rowCount..<66, 9 - tokenCount..<9)
          let part = try product.product(at: argument.level, rows: rows, tokens: tokens)
          let wanted = alone[tokens].map { Array($0[rows]) }
          #expect(bits(part) == bits(wanted), "blocks \(blockCount), \(rows), \(tokens)")
        }
      }
    }
  }

  /// Large enough that rows and tokens are cut into several blocks.
  @Test(arguments: FormatAtLevel.all.filter { $0.level != .scalar })
  func givesTheSameBitsAcrossBlocksOfALargeProduct(_ argument: FormatAtLevel) throws {
    let product = try ProductCase(
      argument.format, rowCount: 301, tokenCount: 27, columnCount: 1024, seed: 12)
    let whole = try product.product(at: argument.level)
    for (row, token) in [(0, 0), (63, 4), (150, 12), (255, 19), (300, 26)] {
      let one = try product.product(
        at: argument.level, rows: row..<row + 1, tokens: token..<token + 1)
      #expect(one[0][0].bitPattern == whole[token][row].bitPattern, "row \(row), token \(token)")
    }
  }

  @Test(arguments: FormatAtLevel.all)
  func givesTheSameBitsWhereverTheWeightsLie(_ argument: FormatAtLevel) throws {
    let format = argument.format
    let product = try ProductCase(
      format, rowCount: 19, tokenCount: 5, columnCount: max(format.blockElementCount * 3, 37),
      seed: 13)
    let wanted = bits(try product.product(at: argument.level))
    let count = product.weights.count
    let buffer = try AlignedBuffer(byteCount: 64 + count)
    for offset in Array(0...64).thinned {
      let bytes = buffer.bytes(atOffset: offset, count: count)
      bytes.copy(from: product.weights)
      let found = try product.product(of: bytes, rowCount: 19, at: argument.level)
      #expect(bits(found) == wanted, "offset \(offset)")
    }
  }

  @Test(arguments: QuantFormat.all)
  func usesTheLevelInUseWhereNoneIsAskedFor(_ format: QuantFormat) throws {
    let upToCurrent = InstructionSet.allCases.prefix { $0 != .current } + [.current]
    let level = try #require(upToCurrent.last { format.hasProduct(at: $0) })
    let product = try ProductCase(
      format, rowCount: 5, tokenCount: 5, columnCount: format.blockElementCount * 4, seed: 14)
    #expect(bits(try product.product(at: nil)) == bits(try product.product(at: level)))
  }

  /// They differ in integer instructions only, and integers are exact.
  @Test(arguments: QuantFormat.all)
  func givesTheSameBitsWithAVX2AndAVX512(_ format: QuantFormat) throws {
    guard format.hasProduct(at: .avx2), format.hasProduct(at: .avx512) else {
      try Test.cancel("\(format.name) lacks one of the two here")
    }
    let product = try ProductCase(
      format, rowCount: 57, tokenCount: 7, columnCount: format.blockElementCount * 9, seed: 18)
    #expect(bits(try product.product(at: .avx2)) == bits(try product.product(at: .avx512)))
  }

  private func bits(_ values: [[Float]]) -> [[UInt32]] { values.map { $0.map(\.bitPattern) } }
}
