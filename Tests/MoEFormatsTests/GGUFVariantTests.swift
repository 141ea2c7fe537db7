import Foundation
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// Values and shapes that writers give in other ways than the usual one.
@Suite struct GGUFVariantTests {
  private struct Source: MetadataSource {
    let sourceName = "memory"
    let header: GGUFHeader
    func value(forKey key: String) -> MetadataValue? { header.metadata[key] }
  }

  private func source(_ metadata: [(key: String, value: GGUFValue)]) throws -> Source {
    var writer = GGUFWriter()
    writer.metadata = metadata
    return Source(header: try GGUFHeader(bytes: writer.header()))
  }

  @Test func `text that is not UTF-8 matters only to who reads it`() throws {
    let path = Array("C:\\Jos".utf8) + [0xE9]
    let source = try source([
      ("general.architecture", .string("sample")), ("path", .bytes(path)),
      ("surrogate", .bytes([0xED, 0xA0, 0x80])), ("paths", .array([.bytes(path)])),
    ])
    #expect(source.value(forKey: "path") == .bytes(path))
    #expect(try source.requireString("general.architecture") == "sample")
    let error = #expect(throws: MetadataError.self) { try source.requireString("path") }
    #expect(error?.found == #"text that is not UTF-8, like "C:\\Jos\#u{FFFD}""#)
    #expect(throws: MetadataError.self) { try source.requireString("surrogate") }
    #expect(try source.requireStrings("paths")[0].elementsEqual(path))
  }

  @Test func `integers may have any width and sign`() throws {
    let values: [GGUFValue] = [
      .uint8(7), .int8(7), .uint16(7), .int16(7), .uint32(7), .int32(7), .uint64(7), .int64(7),
      .float32(7), .float64(7), .array([.uint32(7), .uint32(7)]), .array([.int8(7)]),
    ]
    for value in values {
      let source = try source([("key", value)])
      #expect(try source.requireInteger("key") == 7, "\(value)")
      #expect(try source.requireFloat("key") == 7, "\(value)")
      #expect(try source.integers(perLayer: "key", count: layerCount(value)).first == 7)
    }
    for value: GGUFValue in [
      .float32(7.5), .string("7"), .bool(true), .array([.int8(7), .int8(6)]),
    ] {
      let source = try source([("key", value)])
      #expect(throws: MetadataError.self, "\(value)") { try source.requireInteger("key") }
    }
  }

  private func layerCount(_ value: GGUFValue) -> Int {
    if case .array(let values) = value { values.count } else { 3 }
  }

  @Test func `truth values may be integers`() throws {
    for value: GGUFValue in [.bool(true), .uint8(1), .int32(1), .uint64(1), .array([.bool(true)])] {
      #expect(try source([("key", value)]).optionalBool("key") == true, "\(value)")
    }
    for value: GGUFValue in [.bool(false), .uint8(0), .int64(0)] {
      #expect(try source([("key", value)]).optionalBool("key") == false, "\(value)")
    }
    for value: GGUFValue in [.uint8(2), .int8(-1), .float32(1), .string("true")] {
      let source = try source([("key", value)])
      #expect(throws: MetadataError.self, "\(value)") { try source.optionalBool("key") }
    }
  }

  @Test func `special ids are given as they are written`() throws {
    let source = try source([
      ("none", .uint32(.max)), ("minus", .int32(-1)), ("one", .uint32(5)),
      ("several", .array([.uint32(5), .uint32(6)])),
    ])
    #expect(source.value(forKey: "none")?.integer == Int(UInt32.max))
    #expect(source.value(forKey: "minus")?.integer == -1)
    #expect(try source.optionalIntegers("one") == [5])
    #expect(try source.optionalIntegers("several") == [5, 6])
  }

  @Test(arguments: [[4], [4, 3], [4, 1, 3], [1], [1, 5], [4, 3, 2, 2]])
  func `outer dimensions of one are left out`(_ shape: [Int]) throws {
    for rank in shape.count...4 {
      var writer = GGUFWriter()
      let filled = shape + Array(repeating: 1, count: rank - shape.count)
      let byteCount = 4 * shape.reduce(1, *)
      writer.tensors = [
        GGUFWriter.Tensor("a", .f32, filled, bytes: Array(repeating: 0, count: byteCount))
      ]
      let tensor = try #require(try GGUFHeader(bytes: writer.bytes()).tensors.first)
      #expect(tensor.shape == shape)
      #expect(tensor.extent.byteCount == byteCount)
      #expect(tensor.shape(rank: rank) == filled)
    }
  }
}
