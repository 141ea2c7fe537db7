#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// One file of a model, and its size when its header was read.
package struct StoreFile: Hashable, Sendable {
  package var path: String
  package var byteCount: Int

  package init(path: String, byteCount: Int) {
    self.path = path
    self.byteCount = byteCount
  }
}

/// A model's files, held open for as long as anything reads from them.
///
/// Holding descriptors makes it harmless when a path is renamed, replaced or unlinked.
package final class OpenFiles {
  package let files: [StoreFile]
  let descriptors: [Int32]

  /// Opens every file for reading and compares its size with the one given.
  package init(_ files: [StoreFile]) throws(StoreError) {
    var opened: [Int32] = []
    do throws(StoreError) {
      for file in files { opened.append(try Self.openDescriptor(of: file)) }
    } catch {
      for descriptor in opened { close(descriptor) }
      throw error
    }
    self.files = files
    descriptors = opened
  }

  deinit { for descriptor in descriptors { close(descriptor) } }

  func state(of index: Int) throws(StoreError) -> FileState {
    let status = try Self.status(of: descriptors[index], path: files[index].path)
    return FileState(
      byteCount: Int(status.st_size), modificationSeconds: status.st_mtim.tv_sec,
      modificationNanoseconds: status.st_mtim.tv_nsec)
  }

  private static func openDescriptor(of file: StoreFile) throws(StoreError) -> Int32 {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = unsafe open(file.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .cannotOpen(path: file.path, code: errno) }
    do throws(StoreError) {
      let status = try status(of: descriptor, path: file.path)
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw StoreError.notARegularFile(path: file.path, found: kind(ofMode: status.st_mode))
      }
      guard Int(status.st_size) == file.byteCount else {
        throw StoreError.wrongFileSize(
          path: file.path, wanted: file.byteCount, found: Int(status.st_size))
      }
      // With it, io_uring would answer EAGAIN where it should wait.
      guard fcntl(descriptor, F_SETFL, 0) == 0 else {
        throw StoreError.cannotOpen(path: file.path, code: errno)
      }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  private static func status(of descriptor: Int32, path: String) throws(StoreError) -> stat {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw .cannotOpen(path: path, code: errno) }
    return status
  }

  private static func kind(ofMode mode: mode_t) -> String {
    switch mode & S_IFMT {
    case S_IFDIR: "a directory"
    case S_IFIFO: "a named pipe"
    case S_IFSOCK: "a socket"
    case S_IFBLK, S_IFCHR: "a device"
    default: "something else"
    }
  }
}
