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

  /// All formats that a codec takes.
  private static func formats(_ codec: CodecEntry) -> [QuantFormat] {
    (QuantFormat.all + [.ternary]).filter(codec.takes)
  }

  private static func bytes(
    _ content: Content, _ shape: CodedShape, _ random: inout SeededGenerator
  ) -> [UInt8] {
    if shape.format == .ternary { return ternaryBytes(content, shape, &random) }
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

  /// Ternary rows are not any bytes.
  private static func ternaryBytes(
    _ content: Content, _ shape: CodedShape, _ random: inout SeededGenerator
  ) -> [UInt8] {
    let zeroShare =
      switch content {
      case .weights: 0.885
      case .noise: 1.0 / 3
      case .zeros: 1.0
      }
    var bytes: [UInt8] = []
    for _ in 0..<shape.rowCount {
      bytes += [0x9A, 0xBE, 0, 0x3F]
      for start in stride(from: 0, to: shape.columnCount, by: 32) {
        var words: [UInt32] = [0, 0]
        for bit in 0..<min(32, shape.columnCount - start) where random.nextUnit() >= zeroShare {
          words[Bool.random(using: &random) ? 0 : 1] |= 1 << UInt32(bit)
        }
        for word in words { bytes.append(littleEndian: word) }
      }
    }
    return bytes
  }

  /// Decodes into memory that ends at a forbidden page. What stays coded is then brought into the
  /// part's own format by dequantising, and must be read within its memory by every product.
  private static func decode(
    _ code: [UInt8], _ shape: CodedShape, _ codec: CodecEntry, _ room: CodecRoom
  ) throws -> [UInt8] {
    let stored = try GuardedBytes(code, at: .end)
    let slot = codec.slot(of: shape, codeByteCount: code.count)
    let part = try GuardedBytes(byteCount: slot.byteCount, at: .end)
    try codec.decode(stored.bytes, shape, part.bytes, room)
    if slot.format == shape.format { return part.bytes.array() }
    try multiply(part.bytes, slot.format, shape)
    return try packed(part.bytes, slot.format, shape)
  }

  /// Rows of a coded matrix as TERNARY has them, by their floats.
  private static func packed(
    _ bytes: ByteView, _ format: QuantFormat, _ shape: CodedShape
  ) throws -> [UInt8] {
    let (count, size) = (shape.columnCount, format.rowByteCount(columnCount: shape.columnCount))
    let row = try AlignedBuffer(byteCount: shape.byteCount / shape.rowCount)
    let floats = try AlignedBuffer(byteCount: 4 * count)
    return (0..<shape.rowCount).flatMap { number in
      let head = bytes.slice(number * size, count: size)
      format.dequantize(head, into: floats.floats(count: count))
      let digits: [UInt8] = floats.floats(count: count).array().map { $0 < 0 ? 1 : $0 > 0 ? 2 : 0 }
      let levels = head.littleEndianWord(at: size - 4)
      let packed = row.bytes(count: shape.byteCount / shape.rowCount)
      TernaryRows.pack(
        digits.span, low: UInt16(truncatingIfNeeded: levels), high: UInt16(levels >> 16),
        into: packed)
      return packed.array()
    }
  }

  private static func multiply(
    _ bytes: ByteView, _ format: QuantFormat, _ shape: CodedShape
  ) throws {
    let form = format.activation
    let size = form.rowByteCount(columnCount: shape.columnCount)
    let x = try AlignedBuffer(byteCount: 5 * size)
    let y = try AlignedBuffer(byteCount: 4 * 5 * shape.rowCount)
    for level in InstructionSet.allCases where format.hasProduct(at: level) {
      for tokenCount in [1, 5] {
        format.matmul(
          QuantizedMatrix(
            format: format, bytes: bytes, rowCount: shape.rowCount, columnCount: shape.columnCount),
          ActivationRows(
            x.bytes(count: tokenCount * size), rowCount: tokenCount,
            columnCount: shape.columnCount, form: form),
          into: FloatRows(
            y.floats(count: tokenCount * shape.rowCount), rowCount: tokenCount,
            columnCount: shape.rowCount), at: level)
      }
    }
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
      for format in Self.formats(codec) {
        // One block; some; more than a unit, with a rest.
        let many = format == .ternary ? 4095 : 300_000 / format.blockByteCount
        for (rows, blocks) in [(1, 1), (3, 7), (2, many / 2 + 1)] {
          let shape = Self.shape(format, rows: rows, blocks: blocks)
          let part = Self.bytes(content, shape, &random)
          guard let code = try Self.encode(part, shape, codec, room) else {
            #expect(content != .zeros || shape.byteCount < 200, "\(format.name) \(rows) \(blocks)")
            #expect(content != .weights || format != .ternary || shape.byteCount < 200)
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
    let format = try #require(Self.formats(codec).first { ["BF16", "TERNARY"].contains($0.name) })
    let room = try CodecRoom(WorkerTeam(workerCount: 2), encodes: true)
    let shape = Self.shape(format, rows: 4, blocks: format == .ternary ? 60 : 400)
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
    for seed in Fuzz.seeds(3000, iterationsPerRun: 10) {
      var random = SeededGenerator(seed: seed)
      let format = try #require(Self.formats(codec).randomElement(using: &random))
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
      if code.isEmpty { continue }
      let found = try? Self.decode(code, shape, codec, room)
      #expect(found == nil || found?.count == part.count, "seed \(seed)")
    }
  }
}

/// Codecs of ternary weights: what they are for, and what they leave to others.
@Suite struct TernaryCodecTests {
  private static func bits(_ codec: CodecEntry, zeroShare: Double) throws -> Double? {
    let shape = CodedShape(format: .ternary, rowCount: 256, columnCount: 2048)
    var random = SeededGenerator(seed: 3)
    var part: [UInt8] = []
    for _ in 0..<shape.rowCount {
      part += [0x80, 0xBF, 0x80, 0x3F]
      for _ in 0..<64 {
        var words: [UInt32] = [0, 0]
        for bit in 0..<32 as Range<UInt32> where random.nextUnit() >= zeroShare {
          words[Bool.random(using: &random) ? 0 : 1] |= 1 << bit
        }
        for word in words { part.append(littleEndian: word) }
      }
    }
    let memory = try GuardedBytes(part, at: .end)
    let room = try CodecRoom(WorkerTeam(workerCount: 2), encodes: true)
    return try codec.encode(memory.bytes, shape, room).map {
      8 * Double($0.count) / Double(shape.rowCount * shape.columnCount)
    }
  }

  /// On disk near the entropy of 0.630 bits and 0.016 for rows, in memory as the paper has it.
  @Test func sparseWeightsTakeLessThanABit() throws {
    let (disk, memory) = (
      try #require(try Self.bits(CodecRegistry.ternary, zeroShare: 0.885)),
      try #require(try Self.bits(CodecRegistry.qmoe, zeroShare: 0.885))
    )
    #expect(disk > 0.646 && disk < 0.68, "\(disk)")
    #expect(memory > 0.74 && memory < 0.79, "\(memory)")
  }

  /// The dictionary is for sparse weights: others stay packed.
  @Test func denseWeightsHaveNoCode() throws {
    #expect(try Self.bits(CodecRegistry.qmoe, zeroShare: 0.6) == nil)
    #expect(try Self.bits(CodecRegistry.qmoe, zeroShare: 0.7) != nil)
    #expect(CodecRegistry.fallback(for: CodecRegistry.qmoe)?.name == "ternary")
  }

  /// A head that leads elsewhere, and codes of another width, are seen before products read them.
  @Test func hostileHeadsAreRefused() throws {
    let shape = CodedShape(format: .ternary, rowCount: 2, columnCount: 4)
    let room = try CodecRoom(WorkerTeam(workerCount: 1), encodes: true)
    /// Two rows of four zeros, each the codeword 1.
    let sound: [UInt8] = [
      0, 0, 0, 0, 0x80, 0xBF, 0x80, 0x3F, 1, 0, 0, 0, 0x80, 0xBF, 0x80, 0x3F, 1, 0, 1, 0,
    ]
    func isTaken(_ code: [UInt8]) throws -> Bool {
      let memory = try GuardedBytes(code, at: .end)
      let slot = try GuardedBytes(byteCount: code.count, at: .end)
      do {
        try CodecRegistry.qmoe.decode(memory.bytes, shape, slot.bytes, room)
        return true
      } catch {
        return false
      }
    }
    #expect(try isTaken(sound))
    for (index, byte) in [
      (0, 1), (8, 0), (8, 2), (8, 3), (11, 0xFF), (16, 0), (18, 25), (5, 0x3F), (7, 0xFF),
    ] as [(Int, UInt8)] {
      var code = sound
      code[index] = byte
      if index == 7 { code[6] = 0x80 }
      #expect(try !isTaken(code), "byte \(index) is \(byte)")
    }
    #expect(try !isTaken(Array(sound.dropLast(2))) && !isTaken(sound + [1, 0]))
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
