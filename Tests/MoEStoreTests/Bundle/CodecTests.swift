import MoECore
import MoEKernels
import MoEStore
import MoETestSupport
import Testing

/// Every codec gives back every byte, and takes any bytes for a code without harm.
@Suite struct CodecTests {
  static let codecs = CodecRegistry.all.map(\.name)

  enum Content: CaseIterable, Sendable {
    /// Numbers about zero, as weights are: of the two-byte formats' words, and as bytes of others.
    case weights
    case noise, zeros
  }

  private static func entry(_ name: String) throws -> CodecEntry {
    try #require(CodecRegistry.entry(named: name))
  }

  private static func bytes(
    _ content: Content, _ shape: CodedShape, _ random: inout SeededGenerator
  ) -> [UInt8] {
    switch content {
    case .zeros: return Array(repeating: 0, count: shape.byteCount)
    case .noise: return (0..<shape.byteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    case .weights:
      var bytes: [UInt8] = []
      while bytes.count < shape.byteCount {
        // The sum of four is near to a Gaussian.
        let sum = (0..<4).reduce(0.0) { sum, _ in sum + random.nextUnit() - 0.5 }
        let word = UInt16(truncatingIfNeeded: Float(sum * 0.04).bitPattern >> 16)
        bytes += [UInt8(truncatingIfNeeded: word), UInt8(truncatingIfNeeded: word >> 8)]
      }
      return Array(bytes.prefix(shape.byteCount))
    }
  }

  /// Decodes into memory that ends at a forbidden page.
  private static func decode(
    _ code: [UInt8], _ shape: CodedShape, _ codec: CodecEntry, _ room: CodecRoom
  ) throws -> [UInt8] {
    let stored = try GuardedBytes(code, at: .end)
    let part = try GuardedBytes(byteCount: shape.byteCount, at: .end)
    try codec.decode(stored.bytes, shape, part.bytes, room)
    return part.bytes.array()
  }

  private static func encode(
    _ part: [UInt8], _ shape: CodedShape, _ codec: CodecEntry, _ room: CodecRoom
  ) throws -> [UInt8]? {
    let memory = try GuardedBytes(part, at: .end)
    return try codec.encode(memory.bytes, shape, room)
  }

  private static func shape(_ format: QuantFormat, rows: Int, blocks: Int) -> CodedShape {
    CodedShape(
      format: format, rowCount: rows, columnCount: blocks * format.blockElementCount)
  }

  @Test(arguments: codecs, Content.allCases)
  func everyFormatComesBack(_ name: String, _ content: Content) throws {
    let codec = try Self.entry(name)
    var random = SeededGenerator(seed: 5)
    for workerCount in [1, 3] {
      let room = try CodecRoom(WorkerTeam(workerCount: workerCount), encodes: true)
      for format in QuantFormat.all {
        // One block; some; more than a unit, with a rest.
        let many = 300_000 / format.blockByteCount
        for (rows, blocks) in [(1, 1), (3, 7), (2, many / 2 + 1)] {
          let shape = Self.shape(format, rows: rows, blocks: blocks)
          let part = Self.bytes(content, shape, &random)
          guard let code = try Self.encode(part, shape, codec, room) else {
            #expect(content != .zeros || shape.byteCount < 200, "\(format.name) \(rows) \(blocks)")
            continue
          }
          #expect(name == "none" || code.count < part.count)
          let found = try Self.decode(code, shape, codec, room)
          #expect(found == part, "\(format.name), \(rows) rows of \(blocks) blocks")
        }
      }
    }
  }

  /// What the exponents of Gaussian weights leave: 2.6 of their 8 bits.
  @Test func exponentsOfWeightsAreCoded() throws {
    let format = try #require(QuantFormat.all.first { $0.name == "BF16" })
    let room = try CodecRoom(WorkerTeam(workerCount: 2), encodes: true)
    let shape = Self.shape(format, rows: 512, blocks: 1024)
    var random = SeededGenerator(seed: 1)
    let part = Self.bytes(.weights, shape, &random)
    let code = try #require(try Self.encode(part, shape, CodecRegistry.zstd, room))
    let ratio = Double(code.count) / Double(part.count)
    #expect(ratio > 0.64 && ratio < 0.70, "\(ratio)")
  }

  @Test(arguments: codecs) func shortCodesAreRefused(_ name: String) throws {
    let codec = try Self.entry(name)
    let format = try #require(QuantFormat.all.first { $0.name == "BF16" })
    let room = try CodecRoom(WorkerTeam(workerCount: 2), encodes: true)
    let shape = Self.shape(format, rows: 4, blocks: 400)
    var random = SeededGenerator(seed: 2)
    let part = Self.bytes(.weights, shape, &random)
    let code = try #require(try Self.encode(part, shape, codec, room))
    for count in 0..<code.count {
      #expect(throws: CodecError.self, "\(count) bytes") {
        try Self.decode(Array(code.prefix(count)), shape, codec, room)
      }
    }
    for extra in [1, 7, 4096] {
      #expect(throws: CodecError.self) {
        try Self.decode(code + Array(repeating: 0, count: extra), shape, codec, room)
      }
    }
  }

  /// Whatever the bytes are: an error or some part, never more than its memory.
  @Test(arguments: codecs) func codesThatFuzzMadeDoNoHarm(_ name: String) throws {
    let codec = try Self.entry(name)
    let room = try CodecRoom(WorkerTeam(workerCount: 1), encodes: true)
    for seed in Fuzz.seeds(300) {
      var random = SeededGenerator(seed: seed)
      let format = QuantFormat.all[Int.random(in: 0..<QuantFormat.all.count, using: &random)]
      let shape = Self.shape(
        format, rows: Int.random(in: 1...4, using: &random),
        blocks: Int.random(in: 1...300, using: &random))
      let content = try #require(Content.allCases.randomElement(using: &random))
      let part = Self.bytes(content, shape, &random)
      var code = try Self.encode(part, shape, codec, room) ?? part
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let index = Int.random(in: 0..<code.count, using: &random)
        code[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      if Bool.random(using: &random) {
        code.removeLast(Int.random(in: 0..<code.count, using: &random))
      }
      let found = try? Self.decode(code, shape, codec, room)
      #expect(found == nil || found?.count == part.count, "seed \(seed)")
    }
  }
}

@Suite struct ChecksumCRC32CTests {
  /// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
  @Test func publishedVectorsHold() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum(Array(repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum(Array(repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(Array(0..<32)) == 0x46DD_794E)
    #expect(CRC32C.checksum([]) == 0)
  }

  @Test func theInstructionGivesWhatTheDefinitionDoes() throws {
    var random = SeededGenerator(seed: 9)
    for count in Array(0...70) + [4095, 4097] {
      let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let memory = try GuardedBytes(bytes, at: .end)
      let fast = CRC32C.checksum(memory.bytes)
      #expect(fast == CRC32C.checksum(memory.bytes, isPlain: true), "\(count) bytes")
      let half = memory.bytes.slice(0, count: count / 2)
      let rest = memory.bytes.slice(count / 2, count: count - count / 2)
      #expect(CRC32C.checksum(rest, after: CRC32C.checksum(half)) == fast)
    }
  }
}
