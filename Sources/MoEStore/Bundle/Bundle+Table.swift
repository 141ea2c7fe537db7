import MoECore
import MoEKernels
import MoEPlatform

/// The table at the start of a bundle's file.
///
/// Numbers have their lowest byte first. The mark, 8 bytes; the version, the counts of the model's
/// files, of layers and of ranges, the order of records and zero, in 32 bits each; the bytes of the
/// table, in 64 bits: the first record begins at the next multiple of 4096. For each file its size
/// in 64 bits and two checksums in 32 (`ModelMark`). For each layer its number, 1 where these are
/// copies in fewer bits and else 0, and the counts of parts and experts, in 32 bits each; for each
/// part its role and format in 32 bits each, rows and columns in 64; for each expert the record's
/// offset and size in 64 bits each, the checksum of its header in 32, and for each part the codec
/// in 32 bits, offset in the record and size in 64. For each range the file's number and the bytes'
/// checksum in 32 bits each, offset in that file, size and offset in the bundle in 64. At last
/// CRC-32C of all this, in 32 bits.
extension Bundle {
  private static let mark: [UInt8] = [0x93] + Array("MOEBNDL".utf8)
  package static let version: UInt32 = 3
  private static let fixedByteCount = 40
  /// The table of a model with 100 layers of 1000 experts has 10 MiB.
  private static let tableByteCountMax = 1 << 28

  /// Bytes of the table: known before any record is.
  package var tableByteCount: Int {
    let fixed =
      Self.fixedByteCount + 16 * marks.count + BundleRange.entryByteCount * ranges.count + 4
    return layers.reduce(fixed) { sum, layer in
      sum + 16 + 24 * layer.parts.count + layer.records.count * (20 + 20 * layer.parts.count)
    }
  }

  /// Where the first record begins.
  package var recordsOffset: Int { tableByteCount.alignedUp(to: Self.recordAlignment) }

  package func table() -> [UInt8] {
    var bytes = Self.mark
    bytes.reserveCapacity(tableByteCount)
    let counts = [marks.count, layers.count, ranges.count].map { UInt32($0) }
    for word in [Self.version] + counts + [order.rawValue, 0] { bytes.append(littleEndian: word) }
    bytes.append(littleEndian: UInt64(tableByteCount))
    for mark in marks {
      bytes.append(littleEndian: UInt64(mark.byteCount))
      bytes.append(littleEndian: mark.startChecksum)
      bytes.append(littleEndian: mark.sampleChecksum)
    }
    for layer in layers { Self.append(layer, to: &bytes) }
    for range in ranges { range.append(to: &bytes) }
    bytes.append(littleEndian: CRC32C.checksum(bytes))
    assert(bytes.count == tableByteCount)
    return bytes
  }

  private static func append(_ layer: Layer, to bytes: inout [UInt8]) {
    for count in [
      layer.number, layer.isLow ? 1 : 0, layer.parts.count, layer.records.count,
    ] {
      bytes.append(littleEndian: UInt32(count))
    }
    for part in layer.parts {
      bytes.append(littleEndian: part.role)
      bytes.append(littleEndian: part.formatID)
      bytes.append(littleEndian: UInt64(part.rowCount))
      bytes.append(littleEndian: UInt64(part.columnCount))
    }
    for record in layer.records {
      bytes.append(littleEndian: UInt64(record.extent.offset))
      bytes.append(littleEndian: UInt64(record.extent.byteCount))
      bytes.append(littleEndian: record.headerChecksum)
      for part in record.parts {
        bytes.append(littleEndian: part.codecID)
        bytes.append(littleEndian: UInt64(part.offset))
        bytes.append(littleEndian: UInt64(part.byteCount))
      }
    }
  }

  /// Reads a bundle's table; the file may be anything.
  package init(path: String) throws(BundleError) {
    let (input, start): (InputFile, [UInt8])
    do throws(FileError) {
      input = try InputFile(path)
      start = try input.bytes(at: 0, count: Self.fixedByteCount)
    } catch {
      throw .file(error)
    }
    // Pages that are read here count against the memory of this process.
    defer { input.dropFromPageCache(0..<input.identity.byteCount) }
    let count = try Self.tableByteCount(start, path: path)
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try input.bytes(at: 0, count: count)
    } catch {
      throw .file(error)
    }
    guard bytes.count == count else {
      throw .truncated(path: path, wanted: count, found: bytes.count)
    }
    let file = StoreFile(
      path: path, byteCount: input.identity.byteCount, identity: input.identity)
    try self.init(bytes, file: file)
  }

  /// Whether a file begins as bundles do; false where it cannot be read.
  package static func isBundle(at path: String) -> Bool {
    guard let input = try? InputFile(path) else { return false }
    return (try? input.bytes(at: 0, count: mark.count)) == mark
  }

  /// What the start of a file says of the table's size.
  private static func tableByteCount(_ start: [UInt8], path: String) throws(BundleError) -> Int {
    guard start.starts(with: mark) else { throw .notABundle(path: path) }
    var reader = LittleEndianReader(start, from: mark.count)
    guard let version = reader.next(UInt32.self) else {
      throw .truncated(path: path, wanted: fixedByteCount, found: start.count)
    }
    guard version == Self.version else { throw .unknownVersion(path: path, version) }
    reader = LittleEndianReader(start, from: fixedByteCount - 8)
    guard let count = reader.next(UInt64.self) else {
      throw .truncated(path: path, wanted: fixedByteCount, found: start.count)
    }
    guard count > fixedByteCount, count <= tableByteCountMax else {
      throw .damagedTable(path: path)
    }
    return Int(count)
  }

  /// The whole table of a file.
  package init(_ bytes: [UInt8], file: StoreFile) throws(BundleError) {
    guard try Self.tableByteCount(bytes, path: file.path) == bytes.count else {
      throw .truncated(
        path: file.path, wanted: try Self.tableByteCount(bytes, path: file.path),
        found: bytes.count)
    }
    var end = LittleEndianReader(bytes, from: bytes.count - 4)
    guard end.next(UInt32.self) == CRC32C.checksum(Array(bytes.dropLast(4))),
      let table = Self.parse(bytes, file: file), table.tableByteCount == bytes.count
    else { throw .damagedTable(path: file.path) }
    self = table
    try checkRecords()
    try checkRanges()
  }

  /// Nil where the bytes end before what they announce.
  private static func parse(_ bytes: [UInt8], file: StoreFile) -> Bundle? {
    var reader = LittleEndianReader(bytes, from: mark.count + 4)
    guard let fileCount = reader.nextCount(UInt32.self),
      let layerCount = reader.nextCount(UInt32.self),
      let rangeCount = reader.nextCount(UInt32.self),
      let order = reader.next(UInt32.self).flatMap(RecordOrder.init(rawValue:)),
      reader.next(UInt32.self) == 0, reader.next(UInt64.self) != nil
    else { return nil }
    var bundle = Bundle(file: file, marks: [], layers: [], order: order)
    for _ in 0..<fileCount {
      guard let byteCount = reader.nextCount(UInt64.self), let start = reader.next(UInt32.self),
        let sample = reader.next(UInt32.self)
      else { return nil }
      bundle.marks.append(
        ModelMark(byteCount: byteCount, startChecksum: start, sampleChecksum: sample))
    }
    for _ in 0..<layerCount {
      guard let layer = parseLayer(&reader) else { return nil }
      bundle.layers.append(layer)
    }
    for _ in 0..<rangeCount {
      guard let range = BundleRange(&reader) else { return nil }
      bundle.ranges.append(range)
    }
    return bundle
  }

  private static func parseLayer(_ reader: inout LittleEndianReader) -> Layer? {
    guard let number = reader.nextCount(UInt32.self), let copy = reader.nextCount(UInt32.self),
      copy <= 1, let partCount = reader.nextCount(UInt32.self),
      let expertCount = reader.nextCount(UInt32.self), partCount <= RecordLayout.partCountMax
    else { return nil }
    var layer = Layer(number: number, isLow: copy == 1, parts: [])
    for _ in 0..<partCount {
      guard let role = reader.next(UInt32.self), let format = reader.next(UInt32.self),
        let rowCount = reader.nextCount(UInt64.self),
        let columnCount = reader.nextCount(UInt64.self)
      else { return nil }
      layer.parts.append(
        Part(role: role, formatID: format, rowCount: rowCount, columnCount: columnCount))
    }
    for _ in 0..<expertCount {
      guard let offset = reader.nextCount(UInt64.self),
        let byteCount = reader.nextCount(UInt64.self), let checksum = reader.next(UInt32.self)
      else { return nil }
      var parts: [BundleRecord.Part] = []
      for _ in 0..<partCount {
        guard let codec = reader.next(UInt32.self), let start = reader.nextCount(UInt64.self),
          let count = reader.nextCount(UInt64.self)
        else { return nil }
        parts.append(BundleRecord.Part(codecID: codec, offset: start, byteCount: count))
      }
      layer.records.append(
        BundleRecord(
          extent: FileExtent(fileIndex: 0, offset: offset, byteCount: byteCount),
          headerChecksum: checksum, parts: parts))
    }
    return layer
  }

  /// Makes sure that every record lies in the file and every part in its record, in a code that is
  /// known and of a size that it can have.
  private func checkRecords() throws(BundleError) {
    let damaged = BundleError.damagedTable(path: file.path)
    func place(_ layer: Layer) -> (Int, Int) { (layer.isLow ? 1 : 0, layer.number) }
    guard !marks.isEmpty, zip(layers, layers.dropFirst()).allSatisfy({ place($0) < place($1) })
    else { throw damaged }
    for layer in layers {
      var shapes: [CodedShape] = []
      for part in layer.parts {
        guard let shape = part.shape else { throw damaged }
        shapes.append(shape)
      }
      for record in layer.records {
        let extent = record.extent
        guard record.isPossible, extent.offset % Self.recordAlignment == 0,
          extent.offset >= recordsOffset
        else { throw damaged }
        guard extent.offset <= file.byteCount, extent.byteCount <= file.byteCount - extent.offset
        else {
          let (end, isHuge) = extent.offset.addingReportingOverflow(extent.byteCount)
          throw .truncated(
            path: file.path, wanted: isHuge ? .max : end, found: file.byteCount)
        }
        for (part, shape) in zip(record.parts, shapes) {
          guard let codec = CodecRegistry.entry(id: part.codecID) else {
            throw .unknownCodec(path: file.path, id: part.codecID)
          }
          guard codec.takes(shape.format) else { throw damaged }
          let isPlain = part.codecID == CodecRegistry.none.id
          guard isPlain ? part.byteCount == shape.byteCount : part.byteCount < shape.byteCount
          else { throw damaged }
        }
      }
    }
  }
}
