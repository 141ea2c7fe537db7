import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// Headers that break one rule each.
@Suite struct GGUFHostileTests {
  @Test func `a file cut anywhere is refused`() throws {
    let writer = Samples.writer()
    let bytes = try writer.bytes()
    let header = try GGUFHeader(bytes: bytes)
    let end = try #require(header.tensors.map { $0.extent.offset + $0.extent.byteCount }.max())
    #expect(end <= bytes.count)
    for count in 0..<end {
      #expect(
        errorKind(Array(bytes[..<count])) == (count < 4 ? .otherFormat : .truncated), "\(count)")
    }
    #expect(errorKind(Array(bytes[..<end])) == nil)
  }

  @Test func `a file that shrinks while it is read is refused`() throws {
    let bytes = try Samples.writer().bytes()
    for count in 24..<Samples.writer().header().count {
      #expect(errorKind(Array(bytes[..<count]), fileByteCount: bytes.count) == .truncated)
    }
  }

  @Test(arguments: [1 << 20, 1 << 40, 1 << 63, UInt64.max])
  func `a count beyond the file is refused`(_ count: UInt64) {
    let number = Samples.integer(count)
    #expect(errorKind(Samples.raw(tensorCount: count)) == .truncated)
    #expect(errorKind(Samples.raw(keyCount: count)) == .truncated)
    #expect(errorKind(Samples.raw(keyCount: 1, number)) == .truncated, "length of a key")
    let name = Samples.raw(tensorCount: 1, number + Array(repeating: 0, count: 64))
    #expect(errorKind(name) == .truncated, "length of a tensor's name")
    let text = Samples.entry(Array("key".utf8), type: 8, number)
    #expect(errorKind(Samples.raw(keyCount: 1, text)) == .truncated, "length of a string")
    for type: UInt32 in 0...12 {
      let array = Samples.entry(Array("key".utf8), type: 9, Samples.integer(type) + number)
      #expect(errorKind(Samples.raw(keyCount: 1, array)) == .truncated, "array of type \(type)")
    }
  }

  @Test func `a damaged length does not read weights as metadata`() {
    // In a file of 1 TiB, a string of 512 GiB is inside the file.
    let text = Samples.entry(Array("key".utf8), type: 8, Samples.integer(UInt64(1) << 39))
    let error = #expect(throws: FormatError.self) {
      try GGUFHeader(bytes: Samples.raw(keyCount: 1, text), fileByteCount: 1 << 40)
    }
    #expect(error?.kind == .truncated)
    #expect(error?.description.contains("128.0 MiB of headers, all shards together") == true)
  }

  private static let badEntries: [(String, [UInt8])] = [
    ("a key that is not UTF-8", Samples.entry([0xC3, 0x28], type: 0, [1])),
    ("an empty key", Samples.entry([], type: 0, [1]) + [0]),
    ("a key of 65,536 bytes", Samples.entry(Array(repeating: 65, count: 65_536), type: 0, [1])),
    ("an unknown type", Samples.entry([65], type: 13, [1])),
    ("a boolean of 2", Samples.entry([65], type: 7, [2])),
    ("a boolean of 2 in an array", Samples.entry([65], type: 9, [7, 0, 0, 0, 1] + zeros(7) + [2])),
    ("an unknown type in an array", Samples.entry([65], type: 9, [13, 0, 0, 0] + zeros(8))),
    ("arrays nested without end", deepArray(depth: 10_000)),
    ("arrays nine deep", deepArray(depth: 9)),
    ("alignment zero", Samples.entry("general.alignment", .uint32(0))),
    ("alignment three", Samples.entry("general.alignment", .uint32(3))),
    ("alignment four", Samples.entry("general.alignment", .uint32(4))),
    ("alignment 24", Samples.entry("general.alignment", .uint32(24))),
    ("alignment 2^63", Samples.entry("general.alignment", .uint64(1 << 63))),
    ("alignment 2^62", Samples.entry("general.alignment", .uint64(1 << 62))),
    ("negative alignment", Samples.entry("general.alignment", .int32(-32))),
    ("alignment in words", Samples.entry("general.alignment", .string("32"))),
  ]

  @Test(arguments: badEntries.indices) func `a bad metadata entry is refused`(_ index: Int) {
    let (name, entry) = Self.badEntries[index]
    #expect(errorKind(Samples.raw(keyCount: 1, entry)) == .malformed, "\(name)")
  }

  @Test func `arrays eight deep are read`() {
    #expect(errorKind(Samples.raw(keyCount: 1, Self.deepArray(depth: 8))) == nil)
  }

  @Test func `a key that comes twice is refused`() {
    let entry = Samples.entry("twice", .bool(true))
    #expect(errorKind(Samples.raw(keyCount: 2, entry + entry)) == .malformed)
  }

  private static let badTensors: [(String, FormatError.Kind, [[UInt8]])] = [
    ("no name", .malformed, [Samples.tensor("", [1]) + [0]]),
    ("no dimensions", .malformed, [Samples.tensor("a", []) + zeros(8)]),
    ("five dimensions", .malformed, [Samples.tensor("a", [1, 1, 1, 1, 1])]),
    ("a dimension of zero", .malformed, [Samples.tensor("a", [4, 0])]),
    ("a dimension of 2^63", .malformed, [Samples.tensor("a", [1 << 63])]),
    ("2^64 elements", .malformed, [Samples.tensor("a", [1 << 32, 1 << 32])]),
    ("2^63 bytes", .malformed, [Samples.tensor("a", [1 << 31, 1 << 30])]),
    ("half a block", .malformed, [Samples.tensor("a", [16, 2], type: 8)]),
    ("an unknown format", .unsupported, [Samples.tensor("a", [1], type: 99)]),
    ("a withdrawn format", .unsupported, [Samples.tensor("a", [32], type: 4)]),
    ("an odd offset", .malformed, [Samples.tensor("a", [1], offset: 4)]),
    ("an offset past the end", .truncated, [Samples.tensor("a", [1], offset: 1 << 20)]),
    ("an offset of 2^63", .malformed, [Samples.tensor("a", [1], offset: 1 << 63)]),
    ("a sum past 2^63", .truncated, [Samples.tensor("a", [1], offset: (1 << 63) - 32)]),
    ("more bytes than the file", .truncated, [Samples.tensor("a", [1 << 20])]),
    (
      "one name twice", .malformed,
      [Samples.tensor("a", [1]), Samples.tensor("a", [1], offset: 32)]
    ),
    ("one place twice", .malformed, [Samples.tensor("a", [1]), Samples.tensor("b", [1])]),
    (
      "an overlap, out of order", .malformed,
      [Samples.tensor("a", [8], offset: 32), Samples.tensor("b", [9], offset: 0)]
    ),
  ]

  @Test(arguments: badTensors.indices) func `a bad tensor entry is refused`(_ index: Int) {
    let (name, kind, entries) = Self.badTensors[index]
    let header = Samples.raw(tensorCount: UInt64(entries.count), Array(entries.joined()))
    #expect(errorKind(header + Self.zeros(4096)) == kind, "\(name)")
  }

  @Test func `an alignment beyond the file puts tensors beyond it`() {
    let entry = Samples.entry("general.alignment", .uint32(1 << 31))
    let tensor = Samples.tensor("a", [1])
    let bytes = Samples.raw(tensorCount: 1, keyCount: 1, entry + tensor) + Self.zeros(4096)
    #expect(errorKind(bytes) == .truncated)
  }

  @Test func `tensors out of order and with gaps are read`() throws {
    let entries = [
      Samples.tensor("b", [8], offset: 1024), Samples.tensor("a", [8], offset: 32),
    ]
    let start = Samples.raw(tensorCount: 2, Array(entries.joined()))
    // Up to the next multiple of 32, and from there to the end of tensor b.
    let bytes = start + Self.zeros((32 - start.count % 32) % 32 + 1024 + 32)
    let header = try GGUFHeader(bytes: bytes)
    #expect(header.tensors.map(\.name) == ["b", "a"])
    #expect(isSound(header, fileByteCount: bytes.count))
  }

  private static func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

  /// An array in an array in an array; the innermost is empty.
  private static func deepArray(depth: Int) -> [UInt8] {
    let outer = Samples.integer(UInt32(9)) + Samples.integer(UInt64(1))
    let inner = Samples.integer(UInt32(0)) + Samples.integer(UInt64(0))
    return Samples.entry(
      [65], type: 9, Array(repeatElement(outer, count: depth - 1).joined()) + inner)
  }
}
