import Foundation
import MoEFormats
import MoETestSupport
import Testing

@Suite struct GGMLTypeTests {
  private struct Block: Decodable {
    var ggmlType: UInt32
    var blockElements: Int
    var blockBytes: Int
  }

  @Test func `block sizes agree with an independent implementation`() throws {
    let data = try Data(contentsOf: Goldens.require("blocks/index.json"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let blocks = try decoder.decode([String: Block].self, from: data)
    #expect(blocks.count >= 20)
    for (name, block) in blocks {
      let type = try #require(GGMLType(name: name), "\(name)")
      #expect(type.id == block.ggmlType, "\(name)")
      #expect(type.blockElementCount == block.blockElements, "\(name)")
      #expect(type.blockByteCount == block.blockBytes, "\(name)")
    }
  }

  @Test(arguments: GGMLType.all) func `each format is found by number and name`(_ type: GGMLType) {
    #expect(GGMLType(id: type.id) == type)
    #expect(GGMLType(name: type.name) == type)
    #expect(type.byteCount(shape: [type.blockElementCount, 3]) == 3 * type.blockByteCount)
  }

  @Test(arguments: [4, 5, 31, 32, 33, 36, 37, 38, 255, UInt32.max])
  func `withdrawn and unknown numbers have no format`(_ id: UInt32) {
    #expect(GGMLType(id: id) == nil)
  }

  @Test(
    arguments: [
      (4, "4 (Q4_2, which ggml has withdrawn)"), (139, "139 (IQ4_K of ik_llama.cpp)"),
      (202, "202 (Q4_0_R8 of ik_llama.cpp)"), (344, "344 (IQ4_KS_R4 of ik_llama.cpp)"),
      (36, "36 (IQ4_NL_4_4, which ggml has withdrawn, or I2_S of bitnet.cpp)"), (100, "100"),
    ] as [(UInt32, String)])
  func `a format that is not ggml's is refused by its name`(_ id: UInt32, _ found: String) throws {
    let bytes = Samples.raw(tensorCount: 1, Samples.tensor("a", [256], type: id))
    let error = try #require(throws: FormatError.self) { try GGUFHeader(bytes: bytes) }
    #expect(error.kind == .unsupported && error.found == found)
    #expect(error.subject?.contains("a") == true)
  }

  @Test(arguments: [[], [0], [-256], [255], [256, 0], [128, 2], [256, .max, .max], [.max]])
  func `a shape without a size has none`(_ shape: [Int]) {
    #expect(GGMLType.q4_K.byteCount(shape: shape) == nil)
  }
}
