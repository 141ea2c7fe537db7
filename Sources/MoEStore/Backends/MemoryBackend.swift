package import MoEPlatform

/// Files held in memory: every read is complete as soon as it is submitted.
///
/// For tests, and for measuring what the rest costs when the disk costs nothing.
package final class MemoryBackend: StoreBackend {
  package let name = "memory"
  package let alignment = 1
  package let depth: Int
  package let report = "memory: whole files held in memory"
  private let contents: [[UInt8]]
  private var completions: [StoreCompletion] = []

  package init(contents: [[UInt8]], depth: Int) {
    self.contents = contents
    self.depth = depth
    completions.reserveCapacity(depth)
  }

  /// Reads the files whole.
  package convenience init(_ open: OpenFiles, depth: Int) throws(StoreError) {
    var contents: [[UInt8]] = []
    for index in open.files.indices { contents.append(try open.bytes(ofFile: index)) }
    self.init(contents: contents, depth: depth)
  }

  package func submit(_ requests: UnsafeBufferPointer<StoreRequest>) throws(StoreError) {
    for index in requests.indices {
      let request = unsafe requests[index]
      let bytes = contents[request.fileIndex]
      let count = min(request.byteCount, max(bytes.count - request.offset, 0))
      unsafe bytes.withUnsafeBytes { source in
        guard count > 0, let base = source.baseAddress else { return }
        unsafe request.destination.copyMemory(from: base + request.offset, byteCount: count)
      }
      completions.append(StoreCompletion(tag: request.tag, result: count))
    }
  }

  package func reap(
    into target: UnsafeMutableBufferPointer<StoreCompletion>, waiting: Bool
  ) throws(StoreError) -> Int {
    let count = min(target.count, completions.count)
    for index in 0..<count { unsafe target[index] = completions[index] }
    completions.removeFirst(count)
    return count
  }

  package func identity(ofFile index: Int) throws(StoreError) -> FileIdentity {
    FileIdentity(byteCount: contents[index].count)
  }
}

extension OpenFiles {
  /// All bytes of a file, read through the page cache.
  fileprivate func bytes(ofFile index: Int) throws(StoreError) -> [UInt8] {
    let file = files[index]
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try input(index).bytes(at: 0, count: file.byteCount)
    } catch {
      guard case .system(let path, let code) = error else {
        throw .fileTruncated(path: file.path, offset: 0, byteCount: file.byteCount)
      }
      throw .readFailed(path: path, offset: 0, byteCount: file.byteCount, code: code)
    }
    guard bytes.count == file.byteCount else {
      throw .fileTruncated(
        path: file.path, offset: bytes.count, byteCount: file.byteCount - bytes.count)
    }
    return bytes
  }
}
