import MoECore
import MoEKernels
import MoESynthetic
import MoETestSupport
import Testing

/// Weights may end at a page's end with nothing mapped behind it, and begin at one's start.
@Suite struct QuantBoundsTests {
  @Test(arguments: FormatAtLevel.all, GuardedBytes.Edge.allCases)
  func readsNothingOutsideTheWeights(_ argument: FormatAtLevel, _ edge: GuardedBytes.Edge) throws {
    let format = argument.format
    for columnCount in [1, 2, 3, 7, 9].map({ $0 * format.blockElementCount }) {
      for rowCount in [1, 2, 3, 8, 17, 33] {
        let product = try ProductCase(
          format, rowCount: rowCount, tokenCount: 5, columnCount: columnCount, seed: 15)
        let guarded = try GuardedBytes(product.weights, at: edge)
        let wanted = try product.product(at: argument.level)
        for tokenCount in 1...5 {
          let found = try product.product(
            of: guarded.bytes, rowCount: rowCount, tokens: 0..<tokenCount, at: argument.level)
          #expect(found == Array(wanted[..<tokenCount]), "\(rowCount) x \(columnCount)")
        }
      }
    }
  }

  @Test(arguments: QuantFormat.all, GuardedBytes.Edge.allCases)
  func dequantisesWithinTheBlocks(_ format: QuantFormat, _ edge: GuardedBytes.Edge) throws {
    for blockCount in 1...9 {
      let blocks = format.randomBlocks(blockCount, seed: 16).flatMap { $0 }
      let guarded = try GuardedBytes(blocks, at: edge)
      let count = blockCount * format.blockElementCount
      let out = try AlignedBuffer(byteCount: count * 4)
      format.dequantize(guarded.bytes, into: out.floats(count: count))
      #expect(out.floats(count: count).array() == format.floats(blocks))
    }
  }

  @Test(arguments: ActivationForm.allCases, InstructionSet.allCases)
  func quantisesWithinTheRow(_ form: ActivationForm, _ level: InstructionSet) throws {
    guard form.hasQuantizer(at: level) else {
      try Test.cancel("\(form) has no variant at \(level.name) here")
    }
    let count = 512
    let x = try GuardedBytes(Array(repeating: 0x3f, count: count * 4), at: .end)
    let out = try GuardedBytes(byteCount: form.rowByteCount(columnCount: count), at: .end)
    let floats = unsafe FloatView(
      x.bytes.pointer.assumingMemoryBound(to: Float.self), count: count)
    form.quantize(floats, into: out.bytes, at: level)
    #expect(out.bytes.array().contains { $0 != 0 })
  }
}
