internal import MoEPlatform

/// A model file open for its header.
///
/// Plain buffered reads without read-ahead; what was read is dropped from the page cache when the
/// file is closed, since page cache that a process causes counts against its memory limit.
final class HeaderFile: ByteSource {
  private let file: InputFile
  private var readEnd = 0

  /// Refuses what is not a regular file without waiting for it: a pipe would block otherwise.
  init(path: String) throws(GGUFError) {
    let wanted = "a model file"
    do throws(FileError) {
      file = try InputFile(path)
    } catch {
      switch error {
      case .notRegular(_, let kind):
        throw GGUFError(.notRegularFile, path: path, wanted: wanted, found: kind.text)
      case .system, .tooLarge, .impossibleName:
        throw GGUFError(.unreadable, path: path, wanted: wanted, found: error.reason)
      }
    }
    file.adviseRandomReads()
  }

  deinit { file.dropFromPageCache(0..<readEnd) }

  var path: String { file.path }
  /// By which whoever reads the weights later tells that it is still this file.
  var identity: FileIdentity { file.identity }
  var byteCount: Int { identity.byteCount }

  func bytes(at offset: Int, count: Int) throws(GGUFError) -> [UInt8] {
    do throws(FileError) {
      let bytes = try file.bytes(at: offset, count: count)
      readEnd = max(readEnd, offset + bytes.count)
      return bytes
    } catch {
      throw GGUFError(
        .unreadable, path: path, wanted: "\(count) bytes at byte \(offset)", found: error.reason)
    }
  }
}
