import Foundation
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

@Suite struct GGUFFileTests {
  @Test(arguments: [UInt32(2), 3], [8, 32, 64, 4096])
  func `a written file reads back`(version: UInt32, alignment: Int) throws {
    try withTemporaryFolder { folder in
      let writer = Samples.writer(version: version, alignment: alignment)
      let url = folder.appending(path: "sample.gguf")
      try writer.write(to: url)
      let bytes = [UInt8](try Data(contentsOf: url))
      #expect(bytes.count == writer.byteCount)

      let file = try GGUFFile(path: url.path)
      #expect(file.version == Int(version))
      #expect(file.files.map(\.path) == [url.path])
      #expect(file.files.map(\.byteCount) == [bytes.count])
      #expect(file.totalByteCount == bytes.count)
      #expect(file.architecture == "sample")
      #expect(file.sourceName == url.path)
      let alignmentKey = alignment == 32 ? [] : ["general.alignment"]
      #expect(file.metadata.keys == Samples.metadata.map(\.key) + alignmentKey)
      #expect(file.tensors.map(\.name) == writer.tensors.map(\.name))
      for tensor in writer.tensors {
        let found = try #require(file.tensor(named: tensor.name))
        #expect(found.shape == tensor.shape)
        #expect(found.formatID == tensor.type.id)
        #expect(found.extent.offset % alignment == 0)
        var wanted: [UInt8] = []
        try tensor.produce { wanted += $0 }
        let start = found.extent.offset
        #expect(Array(bytes[start..<start + found.extent.byteCount]) == wanted)
      }
      #expect(file.tensor(named: "tensor.9") == nil)
    }
  }

  @Test func `values of every type keep their value`() throws {
    let header = try GGUFHeader(bytes: Samples.writer().bytes())
    var strings = PackedStrings()
    for bytes: [UInt8] in [[0x61], [], [0xFF, 0xC0]] { strings.append(bytes) }
    let wanted: [String: MetadataValue] = [
      "u8": .unsigned(255), "i8": .signed(-128), "u16": .unsigned(65535), "i16": .signed(-32768),
      "u32": .unsigned(UInt64(UInt32.max)), "i32": .signed(Int64(Int32.min)),
      "u64": .unsigned(.max), "i64": .signed(.min), "f32": .float(-1.5), "f64": .float(0.1),
      "no": .bool(false), "yes": .bool(true), "text": .string("naïve 🦉"), "empty": .string(""),
      "array.u8": .array(.unsigned([0, 255])), "array.i8": .array(.signed([-128])),
      "array.u16": .array(.unsigned([1])), "array.i16": .array(.signed([-1])),
      "array.u32": .array(.unsigned([1])), "array.i32": .array(.signed([-1])),
      "array.u64": .array(.unsigned([.max])), "array.i64": .array(.signed([.min])),
      "array.f32": .array(.float([0.5])), "array.f64": .array(.double([-0.1])),
      "array.bool": .array(.bool([true, false])), "array.empty": .array(.unsigned([])),
      "array.text": .array(.strings(strings)),
      "array.nested": .array(.nested([.signed([1, 2]), .nested([.bool([true])])])),
    ]
    for (key, value) in wanted { #expect(header.metadata[key] == value, "\(key)") }
    #expect(header.metadata.keys.count == wanted.count + 1)
  }

  @Test func `headers longer than one read are whole`() throws {
    var writer = Samples.writer()
    let long = String(repeating: "long text, ", count: 300_000)
    writer.metadata += [
      ("long", .string(long)), ("words", .strings((0..<100_000).map { "word \($0)" })),
      ("numbers", .array((0..<400_001).map { .uint16(UInt16(truncatingIfNeeded: $0)) })),
    ]
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "long.gguf")
      try writer.write(to: url)
      let file = try GGUFFile(path: url.path)
      #expect(try file.requireString("long") == long)
      let words = try file.requireStrings("words")
      #expect(words.count == 100_000)
      #expect((0..<words.count).allSatisfy { words.string(at: $0) == "word \($0)" })
      let numbers = try #require(try file.optionalIntegers("numbers"))
      #expect(numbers == (0..<400_001).map { $0 & 0xFFFF })
      #expect(file.tensors.count == writer.tensors.count)
    }
  }

  @Test func `a vocabulary needs no tensors`() throws {
    var writer = GGUFWriter()
    writer.metadata = [("general.architecture", .string("sample"))]
    let header = try GGUFHeader(bytes: writer.header())
    #expect(header.tensors.isEmpty)
    #expect(header.byteCount == writer.header().count)
  }

  @Test func `files of the reference converter read to the last byte`() throws {
    let models = try Goldens.require("models")
    let files = try FileManager.default.subpathsOfDirectory(atPath: models.path)
      .filter { $0.hasSuffix(".gguf") }
    #expect(!files.isEmpty)
    for name in files {
      let file = try GGUFFile(path: models.appending(path: name).path)
      #expect(file.architecture != nil, "\(name)")
      #expect(try file.requireStrings("tokenizer.ggml.tokens").count > 0, "\(name)")
      // The converter leaves nothing between tensors but padding, and ends with the last.
      let ends = file.tensors.map { $0.extent.offset + $0.extent.byteCount }
      let starts = file.tensors.dropFirst().map(\.extent.offset)
      #expect(zip(ends, starts).allSatisfy { ($0 + 31) / 32 * 32 == $1 }, "\(name)")
      #expect(ends.last.map { ($0 + 31) / 32 * 32 } == file.totalByteCount, "\(name)")
    }
  }
}
