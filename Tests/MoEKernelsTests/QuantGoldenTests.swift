import Foundation
import MoEKernels
import MoESynthetic
import MoETestSupport
import Testing

/// Dequantisation against blocks that an independent implementation decoded.
@Suite struct QuantGoldenTests {
  private struct IndexEntry: Decodable {
    let ggml_type: UInt32
    let block_elements: Int
    let block_bytes: Int
  }

  @Test(arguments: QuantFormat.all.filter { $0.name != "F32" })
  func dequantisesBitForBitLikeTheIndependentDecoder(_ format: QuantFormat) throws {
    let file = try SafeTensorsFile(Goldens.require("blocks/\(format.name).safetensors"))
    let raw = try file.bytes("raw")
    let wanted = try file.floats("f32")
    let found = format.floats(raw)
    #expect(found.count == wanted.count && !wanted.isEmpty)
    let firstDifference = zip(found, wanted).enumerated()
      .first { $1.0.bitPattern != $1.1.bitPattern }
    #expect(firstDifference == nil, "at element \(firstDifference?.offset ?? 0)")
  }

  @Test func dequantisesF32AsItIs() throws {
    let format = try #require(QuantFormat(ggmlType: 0))
    let values: [Float] = [0, -0.0, 1, -2.5, .infinity, .leastNonzeroMagnitude, .pi]
    let bytes = values.flatMap { value in
      (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
    }
    #expect(format.floats(bytes).map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test(arguments: QuantFormat.all.filter { $0.name != "F32" })
  func hasTheNumberAndSizesOfTheFileFormat(_ format: QuantFormat) throws {
    let data = try Data(contentsOf: Goldens.require("blocks/index.json"))
    let index = try JSONDecoder().decode([String: IndexEntry].self, from: data)
    let entry = try #require(index[format.name])
    #expect(format.ggmlType == entry.ggml_type)
    #expect(format.blockElementCount == entry.block_elements)
    #expect(format.blockByteCount == entry.block_bytes)
  }

  @Test func findsEachFormatByItsNumberAndNoOther() {
    for format in QuantFormat.all { #expect(QuantFormat(ggmlType: format.ggmlType) == format) }
    #expect(Set(QuantFormat.all.map(\.ggmlType)).count == QuantFormat.all.count)
    #expect(Set(QuantFormat.all.map(\.name)).count == QuantFormat.all.count)
    #expect(QuantFormat(ggmlType: 4) == nil)
    #expect(QuantFormat(ggmlType: .max) == nil)
  }

  @Test func widensEveryHalfLikeTheProcessorsOwnType() throws {
    let format = try #require(QuantFormat(ggmlType: 1))
    let halves = (0...UInt16.max).map { $0 }
    let bytes = halves.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }
    let wrong = zip(halves, format.floats(bytes)).filter { half, found in
      let wanted = Float(Float16(bitPattern: half))
      return wanted.isNaN ? !found.isNaN : found.bitPattern != wanted.bitPattern
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(3))")
  }
}
