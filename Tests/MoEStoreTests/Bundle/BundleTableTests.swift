import MoECore
import MoEKernels
import MoEPlatform
import MoEStore
import MoETestSupport
import Testing

/// The table of a bundle: what was written is read, and whatever else the bytes are is refused.
@Suite struct BundleTableTests {
  private static let fileByteCount = 1 << 24

  private static func part(_ name: String, _ rows: Int, _ columns: Int) -> Bundle.Part {
    let format = QuantFormat.all.first { $0.name == name } ?? QuantFormat.all[0]
    return Bundle.Part(role: 2, formatID: format.ggmlType, rowCount: rows, columnCount: columns)
  }

  /// Two layers with records of several parts, one of them coded.
  private static func bundle() throws -> Bundle {
    var bundle = Bundle(
      file: StoreFile(path: "some.moebundle", byteCount: fileByteCount),
      marks: [ModelMark(byteCount: 1234, startChecksum: 5, sampleChecksum: 6)],
      layers: [
        Bundle.Layer(
          number: 1, parts: [part("BF16", 8, 64), part("Q8_0", 4, 32)]),
        Bundle.Layer(number: 3, parts: [part("F32", 2, 16)]),
        Bundle.Layer(number: 1, isLow: true, parts: [part("Q8_0", 8, 64), part("Q8_0", 4, 32)]),
      ])
    let counts = [3, 2, 3]
    for (index, count) in counts.enumerated() {
      let empty = BundleRecord(
        extent: FileExtent(fileIndex: 0, offset: 0, byteCount: 0), headerChecksum: 0,
        parts: bundle.layers[index].parts.map { _ in
          BundleRecord.Part(codecID: 0, offset: 0, byteCount: 0)
        })
      bundle.layers[index].records = Array(repeating: empty, count: count)
    }
    var end = bundle.recordsOffset
    for index in counts.indices {
      for expert in 0..<counts[index] {
        let sizes = try bundle.layers[index].parts.map { try #require($0.shape).byteCount }
        let codes = sizes.enumerated().map { number, size in
          number == 0 && expert == 1
            ? (codecID: CodecRegistry.zstd.id, byteCount: size / 2)
            : (codecID: CodecRegistry.none.id, byteCount: size)
        }
        let layout = RecordLayout(codes: codes)
        bundle.layers[index].records[expert] = BundleRecord(
          extent: FileExtent(fileIndex: 0, offset: end, byteCount: layout.byteCount),
          headerChecksum: UInt32(expert), parts: layout.parts)
        end = (end + layout.byteCount + 4095) / 4096 * 4096
      }
    }
    return bundle
  }

  /// The same with all else of a model of two files: a header and two tensors, and a header.
  private static func standalone() throws -> Bundle {
    var bundle = try bundle()
    bundle.order = .byCoUse
    bundle.marks.append(ModelMark(byteCount: 300, startChecksum: 7, sampleChecksum: 8))
    let extents = [(0, 0, 100), (0, 128, 700), (0, 828, 406), (1, 0, 300)]
    bundle.ranges = extents.map { file, offset, count in
      BundleRange(
        extent: FileExtent(fileIndex: file, offset: offset, byteCount: count),
        place: 1 << 20 + file << 12 + offset, checksum: UInt32(count))
    }
    // The table has grown; records lie where they did, behind it still.
    let first = bundle.layers.flatMap(\.records).map(\.extent.offset).min() ?? 0
    #expect(bundle.tableByteCount <= first)
    return bundle
  }

  private static let bundles = [bundle, standalone]

  private static func signed(_ table: [UInt8]) -> [UInt8] {
    var bytes = Array(table.dropLast(4))
    bytes.append(littleEndian: CRC32C.checksum(bytes))
    return bytes
  }

  @Test(arguments: [0, 1]) func whatWasWrittenIsRead(_ number: Int) throws {
    let bundle = try Self.bundles[number]()
    #expect(try Bundle(bundle.table(), file: bundle.file) == bundle)
    #expect(bundle.isStandalone == (number == 1))
  }

  @Test(arguments: [0, 1]) func everyCutAndEveryBitIsNoticed(_ number: Int) throws {
    let bundle = try Self.bundles[number]()
    let table = bundle.table()
    for count in 0..<table.count {
      #expect(throws: BundleError.self, "\(count) bytes") {
        try Bundle(Array(table.prefix(count)), file: bundle.file)
      }
    }
    for bit in 0..<8 * table.count {
      var damaged = table
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: BundleError.self, "bit \(bit)") {
        try Bundle(damaged, file: bundle.file)
      }
    }
  }

  /// A checksum that fits proves nothing: what the table says is checked all the same.
  @Test func tablesThatLieAreRefused() throws {
    let bundle = try Self.bundle()
    func expectRefusal(_ comment: Comment, _ change: (inout Bundle) -> Void) {
      var wrong = bundle
      change(&wrong)
      #expect(throws: BundleError.self, comment) {
        try Bundle(wrong.table(), file: wrong.file)
      }
    }
    expectRefusal("outside the file") {
      $0.layers[1].records[1].extent.offset = Self.fileByteCount
    }
    expectRefusal("in the table") { $0.layers[0].records[0].extent.offset = 0 }
    expectRefusal("between blocks") { $0.layers[0].records[0].extent.offset += 64 }
    expectRefusal("a part outside its record") { $0.layers[0].records[0].parts[1].byteCount += 64 }
    expectRefusal("a part over another") { $0.layers[0].records[0].parts[1].offset -= 64 }
    expectRefusal("a codec of nobody") { $0.layers[0].records[0].parts[0].codecID = 77 }
    expectRefusal("a code as large as the part") { $0.layers[0].records[0].parts[0].codecID = 1 }
    expectRefusal("a format of nobody") { $0.layers[0].parts[0].formatID = 999 }
    expectRefusal("rows of no blocks") { $0.layers[0].parts[1].columnCount = 33 }
    expectRefusal("more rows than there are") { $0.layers[0].parts[0].rowCount = 1 << 40 }
    expectRefusal("layers out of order") { $0.layers.swapAt(0, 1) }
    expectRefusal("a layer twice") { $0.layers[1].number = 1 }
    expectRefusal("no model") { $0.marks = [] }
  }

  /// Ranges lie in the model's files and in the bundle, each byte of the model in one at most, and
  /// the header of each file is there.
  @Test func rangesThatLieAreRefused() throws {
    let bundle = try Self.standalone()
    func expectRefusal(_ comment: Comment, _ change: (inout [BundleRange]) -> Void) {
      var wrong = bundle
      change(&wrong.ranges)
      #expect(throws: BundleError.self, comment) {
        try Bundle(wrong.table(), file: wrong.file)
      }
    }
    expectRefusal("no header") { $0.removeFirst() }
    expectRefusal("a file without any") { $0.removeLast() }
    expectRefusal("a file twice") { $0.append($0[3]) }
    expectRefusal("a file of nobody") { $0[3].extent.fileIndex = 2 }
    expectRefusal("out of order") { $0.swapAt(1, 2) }
    expectRefusal("the same bytes twice") {
      ($0[2].extent.offset, $0[2].place) = (700, $0[1].place - 128 + 700)
    }
    expectRefusal("a byte of another") { $0[1].extent.byteCount += 1 }
    expectRefusal("outside the model's file") { $0[2].extent.byteCount += 1 }
    expectRefusal("far outside the model's file") { $0[2].extent.byteCount = .max }
    expectRefusal("no bytes") { $0[1].extent.byteCount = 0 }
    expectRefusal("outside the bundle") { $0[3].place = Self.fileByteCount }
    expectRefusal("far outside the bundle") { $0[3].place = .max - 4095 }
    expectRefusal("in the table") { $0[0].place = 0 }
    expectRefusal("between blocks in another way") { $0[1].place += 32 }
  }

  @Test(arguments: [0, 1]) func tablesThatFuzzMadeDoNoHarm(_ number: Int) throws {
    let bundle = try Self.bundles[number]()
    for seed in Fuzz.seeds(2000) {
      var random = SeededGenerator(seed: seed)
      var table = bundle.table()
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 8..<table.count - 4, using: &random)
        table[index] =
          Bool.random(using: &random)
          ? UInt8.random(in: 0...255, using: &random) : [0, 0xFF, 0x7F, 0x80][index % 4]
      }
      let read = try? Bundle(Self.signed(table), file: bundle.file)
      // What is read can only be what is written again.
      #expect(read == nil || read?.table() == Self.signed(table), "seed \(seed)")
    }
  }

  @Test func otherVersionsAndOtherFilesAreNamed() throws {
    let bundle = try Self.bundle()
    var table = bundle.table()
    table[8] = 9
    #expect(throws: BundleError.unknownVersion(path: "some.moebundle", 9)) {
      try Bundle(Self.signed(table), file: bundle.file)
    }
    #expect(throws: BundleError.notABundle(path: "some.moebundle")) {
      try Bundle(Array("GGUF".utf8) + Array(repeating: 0, count: 100), file: bundle.file)
    }
    #expect(throws: BundleError.self) { try Bundle(path: "/nonexistent.moebundle") }
  }
}
