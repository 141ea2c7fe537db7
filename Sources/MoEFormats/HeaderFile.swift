internal import MoECore
import MoEPlatform

/// A model file open for its header.
///
/// Plain buffered reads without read-ahead; what was read is dropped from the page cache when the
/// file is closed, since page cache that a process causes counts against its memory limit.
final class HeaderFile: ByteSource {
  private let file: InputFile
  private var readEnd = 0

  /// Refuses what is not a regular file without waiting for it.
  init(path: String) throws(FormatError) {
    do throws(FileError) {
      file = try InputFile(path)
    } catch {
      throw Self.failure(error, wanted: "a model file")
    }
    file.adviseRandomReads()
  }

  var path: String { file.path }
  var identity: FileIdentity { file.identity }
  var byteCount: Int { identity.byteCount }

  deinit { file.dropFromPageCache(0..<readEnd) }

  func bytes(at offset: Int, count: Int) throws(FormatError) -> [UInt8] {
    do throws(FileError) {
      let bytes = try file.bytes(at: offset, count: count)
      readEnd = max(readEnd, offset + bytes.count)
      return bytes
    } catch {
      throw Self.failure(error, wanted: "\(count) bytes at byte \(offset)")
    }
  }

  private static func failure(_ error: FileError, wanted: String) -> FormatError {
    if case .notRegular(let path, let kind) = error {
      return FormatError(.notRegularFile, path: path, wanted: wanted, found: kind.text)
    }
    return FormatError(.unreadable, path: error.path, wanted: wanted, found: error.reason)
  }
}
