package import MoECore
package import MoEKernels

/// One expert in a bundle: all its parts, in one read.
package struct BundleRecord: Hashable, Sendable {
  package struct Part: Hashable, Sendable {
    package var codecID: UInt32
    /// From the record's first byte.
    package var offset: Int
    /// Bytes of the code.
    package var byteCount: Int

    package init(codecID: UInt32, offset: Int, byteCount: Int) {
      self.codecID = codecID
      self.offset = offset
      self.byteCount = byteCount
    }

    /// The part in memory.
    package func slot(of shape: CodedShape) -> CodedSlot {
      CodedSlot(
        shape, residentFormat: CodecRegistry.residentFormats[codecID], codeByteCount: byteCount)
    }

    /// Whether the part stays coded in memory.
    package var staysCoded: Bool { CodecRegistry.residentFormats[codecID] != nil }
  }

  /// Of the bundle's file, from its start; file index 0.
  package var extent: FileExtent
  /// CRC-32C of the record's header, which has those of the rest.
  package var headerChecksum: UInt32
  /// In the order of the layer's parts.
  package var parts: [Part]

  package init(extent: FileExtent, headerChecksum: UInt32, parts: [Part]) {
    self.extent = extent
    self.headerChecksum = headerChecksum
    self.parts = parts
  }

  /// Whether something must be decoded before products can read it.
  package var isCoded: Bool { parts.contains { $0.codecID != CodecRegistry.none.id } }
}

/// How the bytes of a record are laid out.
///
/// A header: the mark, layer, expert and number of parts in 32 bits each, then in 64 the record's
/// and in 32 the header's size, and 32 bits of zero; for each part the codec's number and 32 bits
/// of zero, then offset and size in 64 bits; CRC-32C of each 64 KiB of what follows the header, the
/// last piece being shorter; zeros up to a multiple of 64 bytes. Then the codes of the parts, each
/// beginning at a multiple of 64 bytes.
package struct RecordLayout {
  package static let alignment = 64
  package static let checkedByteCount = 64 << 10
  static let mark: UInt32 = 0x5245_4F4D
  private static let (fixedByteCount, partByteCount) = (32, 24)
  /// More parts than any expert has.
  static let partCountMax = 64

  package let parts: [BundleRecord.Part]
  package let headerByteCount: Int
  package let byteCount: Int

  package init(codes: [(codecID: UInt32, byteCount: Int)]) {
    let bodyByteCount = codes.reduce(0) { $0 + $1.byteCount.alignedUp(to: Self.alignment) }
    headerByteCount = Self.headerByteCount(
      partCount: codes.count, bodyByteCount: bodyByteCount)
    var end = headerByteCount
    parts = codes.map { code in
      defer { end += code.byteCount.alignedUp(to: Self.alignment) }
      return BundleRecord.Part(codecID: code.codecID, offset: end, byteCount: code.byteCount)
    }
    byteCount = end
  }

  static func headerByteCount(partCount: Int, bodyByteCount: Int) -> Int {
    let checkCount = (bodyByteCount + checkedByteCount - 1) / checkedByteCount
    return (fixedByteCount + partCount * partByteCount + 4 * checkCount)
      .alignedUp(to: alignment)
  }

  /// Writes the header of a record whose parts' codes are in their places in `record`; returns its
  /// checksum.
  package func finish(
    _ record: ByteView, layer: Int, expert: Int, team: WorkerTeam
  ) -> UInt32 {
    precondition(record.count == byteCount)
    var header: [UInt8] = []
    for word in [Self.mark, UInt32(layer), UInt32(expert), UInt32(parts.count)] {
      header.append(littleEndian: word)
    }
    header.append(littleEndian: UInt64(byteCount))
    header.append(littleEndian: UInt32(headerByteCount))
    header.append(littleEndian: 0 as UInt32)
    for part in parts {
      header.append(littleEndian: part.codecID)
      header.append(littleEndian: 0 as UInt32)
      header.append(littleEndian: UInt64(part.offset))
      header.append(littleEndian: UInt64(part.byteCount))
    }
    let start = header.count
    let body = record.slice(headerByteCount, count: byteCount - headerByteCount)
    header += Array(repeating: 0, count: headerByteCount - header.count)
    record.slice(0, count: headerByteCount).copy(from: header)
    team.forEachPiece(count: Self.checkCount(of: body), cost: body.count / 8) { piece, _ in
      let sum = CRC32C.checksum(Self.piece(piece, of: body))
      for byte in 0..<4 {
        record[start + 4 * piece + byte] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(byte)))
      }
    }
    return CRC32C.checksum(record.slice(0, count: headerByteCount))
  }

  static func checksumsOffset(partCount: Int) -> Int { fixedByteCount + partCount * partByteCount }

  static func isSound(_ body: ByteView, checksums: ByteView, room: CodecRoom) -> Bool {
    let count = checkCount(of: body)
    guard checksums.count >= 4 * count else { return false }
    do {
      try room.forEachPiece(count: count, cost: body.count / 8) { number, _ in
        CRC32C.checksum(piece(number, of: body)) == checksums.littleEndianWord(at: 4 * number)
      }
      return true
    } catch {
      return false
    }
  }

  private static func checkCount(of body: ByteView) -> Int {
    (body.count + checkedByteCount - 1) / checkedByteCount
  }

  private static func piece(_ number: Int, of body: ByteView) -> ByteView {
    let start = number * checkedByteCount
    return body.slice(start, count: min(checkedByteCount, body.count - start))
  }
}

extension BundleRecord {
  /// Whether bytes are those that were packed as this record: its header, which the table of the
  /// bundle knows, and by the header all the rest.
  package func isSound(_ record: ByteView, room: CodecRoom) -> Bool {
    let headerByteCount = headerByteCount
    guard record.count == extent.byteCount,
      CRC32C.checksum(record.slice(0, count: headerByteCount)) == headerChecksum
    else { return false }
    return RecordLayout.isSound(
      record.slice(headerByteCount, count: record.count - headerByteCount),
      checksums: record.slice(
        RecordLayout.checksumsOffset(partCount: parts.count),
        count: headerByteCount - RecordLayout.checksumsOffset(partCount: parts.count)),
      room: room)
  }

  /// The first part begins where the header ends.
  var headerByteCount: Int { parts.first?.offset ?? 0 }

  /// Whether all that is said lies in the record, one part behind the other, with room for the
  /// header before them.
  var isPossible: Bool {
    guard !parts.isEmpty, parts.count <= RecordLayout.partCountMax else { return false }
    var end = headerByteCount
    for part in parts {
      guard part.offset == end, part.byteCount > 0, part.byteCount <= extent.byteCount else {
        return false
      }
      end = (end + part.byteCount).alignedUp(to: RecordLayout.alignment)
    }
    return end == extent.byteCount
      && headerByteCount
        == RecordLayout.headerByteCount(
          partCount: parts.count, bodyByteCount: extent.byteCount - headerByteCount)
  }
}

/// What the header of a record says, for packing that goes on where it was interrupted.
package struct RecordHeader {
  package let layer: Int
  package let expert: Int
  package let record: BundleRecord

  /// Nil where the bytes are no header, or one that cannot be.
  ///
  /// - Parameters:
  ///   - bytes: The start of the record, the whole header or more.
  ///   - offset: Where the record is in its file.
  package init?(_ bytes: [UInt8], at offset: Int) {
    var reader = LittleEndianReader(bytes)
    guard reader.next(UInt32.self) == RecordLayout.mark, let layer = reader.nextCount(UInt32.self),
      let expert = reader.nextCount(UInt32.self), let partCount = reader.nextCount(UInt32.self),
      let byteCount = reader.nextCount(UInt64.self),
      let headerByteCount = reader.nextCount(UInt32.self), reader.next(UInt32.self) == 0,
      (1...RecordLayout.partCountMax).contains(partCount), byteCount <= Int(Int32.max) << 8,
      headerByteCount <= bytes.count
    else { return nil }
    var parts: [BundleRecord.Part] = []
    for _ in 0..<partCount {
      guard let codec = reader.next(UInt32.self), reader.next(UInt32.self) == 0,
        let start = reader.nextCount(UInt64.self), let count = reader.nextCount(UInt64.self)
      else { return nil }
      parts.append(BundleRecord.Part(codecID: codec, offset: start, byteCount: count))
    }
    self.layer = layer
    self.expert = expert
    record = BundleRecord(
      extent: FileExtent(fileIndex: 0, offset: offset, byteCount: byteCount),
      headerChecksum: CRC32C.checksum(Array(bytes.prefix(headerByteCount))), parts: parts)
    guard record.isPossible, record.headerByteCount == headerByteCount else { return nil }
  }
}
