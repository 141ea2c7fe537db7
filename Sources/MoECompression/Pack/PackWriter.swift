import MoECore
import MoEKernels
import MoEPlatform
import MoEStore

/// A bundle that is being written: what is there of it, and where the next record goes.
struct PackWriter {
  private(set) var bundle: Bundle
  /// Behind the last record.
  private(set) var end: Int
  private let codec: CodecEntry
  /// How what is packed was made of the model.
  private let recipe: [String]
  private let file: ResumableFile
  private let room: CodecRoom
  /// Bytes that the kernel was not yet told to write.
  private var flushed: Range<Int>

  /// As much as the kernel is given to write at a time.
  private static let flushByteCount = 64 << 20
  private static let draftMark: [UInt8] = [0x93] + Array("MOEDRFT".utf8)

  /// - Parameter bundle: With a place for each record, of which nothing is known yet.
  init(
    _ bundle: Bundle, codec: CodecEntry, recipe: [String], file: ResumableFile, room: CodecRoom
  ) {
    self.recipe = recipe
    self.bundle = bundle
    self.codec = codec
    self.file = file
    self.room = room
    end = bundle.recordsOffset
    flushed = end..<end
  }

  /// What an unfinished file begins with: it is gone on with only where model, layers and codec are
  /// the same.
  private var draft: [UInt8] {
    var bytes = Self.draftMark
    bytes.append(littleEndian: codec.id)
    bytes.append(
      littleEndian: CRC32C.checksum(bundle.table() + recipe.joined(separator: "; ").utf8))
    return bytes
  }

  /// Takes over what an earlier run wrote, as far as it is sound; returns how many experts that is.
  mutating func resume(_ items: [PackItem]) throws(FileError) -> Int {
    let draft = draft
    var count = 0
    if try file.bytes(at: 0, count: draft.count) == draft {
      let fileByteCount = try file.byteCount()
      for item in items {
        guard let record = try soundRecord(of: item, fileByteCount: fileByteCount) else { break }
        set(record, item)
        count += 1
      }
    }
    try file.truncate(to: end)
    try file.write(draft, at: 0)
    flushed = end..<end
    return count
  }

  private static let headerByteCountMax = 1 << 20

  private func soundRecord(
    of item: PackItem, fileByteCount: Int
  ) throws(FileError) -> BundleRecord? {
    let expert = item.expert
    let start = try file.bytes(at: end, count: Self.headerByteCountMax)
    guard let header = RecordHeader(start, at: end), header.layer == expert.layer,
      header.expert == expert.index, header.record.extent.byteCount <= fileByteCount - end,
      header.record.parts.count == bundle.layer(expert.layer, isLow: item.isLow)?.parts.count,
      let buffer = try? AlignedBuffer(byteCount: header.record.extent.byteCount)
    else { return nil }
    let bytes = buffer.bytes(count: buffer.byteCount)
    let count = try unsafe file.read(
      at: end, into: UnsafeMutableRawBufferPointer(start: bytes.pointer, count: bytes.count))
    return count == bytes.count && header.record.isSound(bytes, room: room) ? header.record : nil
  }

  private mutating func set(_ record: BundleRecord, _ item: PackItem) {
    let expert = item.expert
    guard
      let layer = bundle.layers.firstIndex(where: {
        $0.number == expert.layer && $0.isLow == item.isLow
      })
    else {
      preconditionFailure("a record of a layer that is not packed")
    }
    bundle.layers[layer].records[expert.index] = record
    end = (record.extent.offset + record.extent.byteCount)
      .alignedUp(to: Bundle.recordAlignment)
  }

  /// Writes the next expert.
  mutating func append(
    _ codes: [(codecID: UInt32, bytes: [UInt8])], _ item: PackItem
  ) throws {
    let expert = item.expert
    let layout = RecordLayout(codes: codes.map { ($0.codecID, $0.bytes.count) })
    // Zeros up to where the next one begins.
    let buffer = try AlignedBuffer(
      byteCount: layout.byteCount.alignedUp(to: Bundle.recordAlignment))
    let record = buffer.bytes(count: layout.byteCount)
    for (part, code) in zip(layout.parts, codes) {
      record.slice(part.offset, count: part.byteCount).copy(from: code.bytes)
    }
    let checksum = layout.finish(
      record, layer: expert.layer, expert: expert.index, team: room.team)
    try unsafe file.write(
      UnsafeRawBufferPointer(start: record.pointer, count: buffer.byteCount), at: end)
    set(
      BundleRecord(
        extent: FileExtent(fileIndex: 0, offset: end, byteCount: layout.byteCount),
        headerChecksum: checksum, parts: layout.parts), item)
    flushIfDue()
  }

  private mutating func flushIfDue() {
    if end - flushed.upperBound >= Self.flushByteCount {
      file.flush(flushed.upperBound..<end, behind: flushed)
      flushed = flushed.upperBound..<end
    }
  }

  /// Where a run of a model file's bytes goes that is written next.
  func place(of extent: FileExtent) -> Int {
    let alignment = Bundle.recordAlignment
    let distance = (extent.offset - end) % alignment
    return end + (distance + alignment) % alignment
  }

  /// Writes a piece of such a run.
  func write(_ bytes: ByteView, at offset: Int) throws(FileError) {
    try unsafe file.write(
      UnsafeRawBufferPointer(start: bytes.pointer, count: bytes.count), at: offset)
  }

  /// Ends a run that has been written.
  mutating func set(_ range: BundleRange, number: Int) {
    bundle.ranges[number] = range
    end = range.place + range.extent.byteCount
    flushIfDue()
  }

  /// Writes the table; the file takes its place.
  func commit() throws(FileError) {
    try file.write(bundle.table(), at: 0)
    try file.truncate(to: end)
    try file.commit()
  }
}
