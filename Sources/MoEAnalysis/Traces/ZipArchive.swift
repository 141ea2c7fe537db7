import MoECore

/// Members of a zip file in memory: stored or deflated ones, which is what NumPy writes.
///
/// The bytes are untrusted: every offset and size is checked against the file before it is used.
struct ZipArchive {
  /// What is wrong, as the end of a sentence about the file.
  struct Problem: Error {
    let text: String
  }

  private struct Entry {
    var name: ArraySlice<UInt8>
    var method: Int
    var checksum: Int
    var compressedByteCount: Int
    var byteCount: Int
    var localOffset: Int
  }

  private let bytes: [UInt8]
  private var entries: [Entry] = []

  /// Reads the central directory: NumPy leaves sizes out of the headers before the members.
  init(_ bytes: [UInt8]) throws(Problem) {
    self.bytes = bytes
    guard let end = Self.endRecord(of: bytes) else {
      throw Problem(text: "it is not a zip file, as .npz files are")
    }
    let count = try number(at: end + 10, 2)
    var offset = try number(at: end + 16, 4)
    for _ in 0..<count {
      guard try number(at: offset, 4) == 0x0201_4B50 else {
        throw Problem(text: "its directory is damaged at byte \(offset)")
      }
      let nameCount = try number(at: offset + 28, 2)
      let extraCount = try number(at: offset + 30, 2)
      let commentCount = try number(at: offset + 32, 2)
      entries.append(
        Entry(
          name: try slice(offset + 46, count: nameCount), method: try number(at: offset + 10, 2),
          checksum: try number(at: offset + 16, 4),
          compressedByteCount: try number(at: offset + 20, 4),
          byteCount: try number(at: offset + 24, 4), localOffset: try number(at: offset + 42, 4)))
      offset += 46 + nameCount + extraCount + commentCount
    }
  }

  /// The contents of a member; nil where there is none of that name. Throws where it is damaged or
  /// holds more than `limit` bytes.
  func contents(of name: String, limit: Int) throws(Problem) -> [UInt8]? {
    guard let entry = entries.first(where: { $0.name.elementsEqual(name.utf8) }) else { return nil }
    guard entry.byteCount <= limit else {
      throw Problem(text: "\(name) holds \(entry.byteCount) bytes; at most \(limit) are read")
    }
    guard try number(at: entry.localOffset, 4) == 0x0403_4B50 else {
      throw Problem(text: "\(name) is not where the directory says")
    }
    let nameCount = try number(at: entry.localOffset + 26, 2)
    let extraCount = try number(at: entry.localOffset + 28, 2)
    let data = try slice(
      entry.localOffset + 30 + nameCount + extraCount, count: entry.compressedByteCount)
    let contents: [UInt8]
    switch entry.method {
    case 0: contents = Array(data)
    case 8:
      do {
        contents = try inflate(data, byteCount: entry.byteCount)
      } catch {
        throw Problem(text: "the compressed data of \(name) are damaged")
      }
    default: throw Problem(text: "\(name) is compressed by method \(entry.method), not deflate")
    }
    guard contents.count == entry.byteCount, CRC32(contents).value == entry.checksum else {
      throw Problem(text: "\(name) is damaged: its checksum does not match")
    }
    return contents
  }

  /// The end record stands last; a comment of up to 64 KiB may follow it.
  private static func endRecord(of bytes: [UInt8]) -> Int? {
    var offset = bytes.count - 22
    while offset >= 0 && offset > bytes.count - 22 - 0x1_0000 {
      if bytes[offset..<offset + 4].elementsEqual([0x50, 0x4B, 5, 6]) { return offset }
      offset -= 1
    }
    return nil
  }

  private func slice(_ offset: Int, count: Int) throws(Problem) -> ArraySlice<UInt8> {
    guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else {
      throw Problem(text: "it ends before byte \(offset) + \(count)")
    }
    return bytes[offset..<offset + count]
  }

  /// Little-endian, of at most 4 bytes.
  private func number(at offset: Int, _ byteCount: Int) throws(Problem) -> Int {
    try slice(offset, count: byteCount).reversed().reduce(0) { $0 << 8 | Int($1) }
  }
}
