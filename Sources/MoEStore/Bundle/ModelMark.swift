private import MoECore
private import MoEKernels
package import MoEPlatform

/// What tells one of a model's files from others: its size, and checksums of its start and of bytes
/// spread over it. All of it would take as long to read as the experts.
package struct ModelMark: Hashable, Sendable {
  package var byteCount: Int
  /// CRC-32C of the first MiB, where the header is.
  package var startChecksum: UInt32
  /// CRC-32C of pieces of 4 KiB at even distances.
  package var sampleChecksum: UInt32

  package init(byteCount: Int, startChecksum: UInt32, sampleChecksum: UInt32) {
    self.byteCount = byteCount
    self.startChecksum = startChecksum
    self.sampleChecksum = sampleChecksum
  }

  private static let (startByteCount, sampleCount, sampleByteCount) = (1 << 20, 32, 4096)

  /// Reads what it takes of a file.
  package init(_ file: StoreFile) throws(FileError) {
    let input = try InputFile(file.path)
    // Pages that were read here count against the memory of this process.
    defer { input.dropFromPageCache(0..<input.identity.byteCount) }
    byteCount = input.identity.byteCount
    startChecksum = CRC32C.checksum(try input.bytes(at: 0, count: Self.startByteCount))
    let last = max(0, byteCount - Self.sampleByteCount)
    var samples: [UInt8] = []
    for number in 0..<Self.sampleCount {
      samples += try input.bytes(
        at: last / (Self.sampleCount - 1) * number, count: Self.sampleByteCount)
    }
    sampleChecksum = CRC32C.checksum(samples)
  }

  package static func all(_ files: [StoreFile]) throws(FileError) -> [ModelMark] {
    var marks: [ModelMark] = []
    for file in files { marks.append(try ModelMark(file)) }
    return marks
  }
}
