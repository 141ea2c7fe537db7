package import MoEPlatform

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Reads by a fixed set of threads that each wait in `pread`.
///
/// Two registered backends: `pread` reads past the page cache, `buffered` through it and drops what
/// it read, for file systems without direct reads. Both work wherever io_uring is forbidden.
package final class ThreadedBackend: StoreBackend {
  package let name: String
  package let alignment: Int
  package let depth: Int
  package let report: String
  private let open: OpenFiles
  private let workers: ReadWorkers

  /// More threads than this gain nothing on the disks measured, and each costs a stack.
  private static let threadCountMax = 16

  /// Direct reads. Throws `backendUnavailable` where a file system has none.
  package static func direct(
    _ open: OpenFiles, depth: Int
  ) throws(StoreError) -> ThreadedBackend {
    let name = "pread"
    let alignment = try DirectAccess.enable(open, forBackend: name)
    try unsafe DirectAccess.probe(open, alignment: alignment, forBackend: name) {
      index, offset, block in
      let count = unsafe pread(open.descriptors[index], block.baseAddress, block.count, offset)
      return count < 0 ? -Int(errno) : count
    }
    return try ThreadedBackend(
      name: name, open, depth: depth, alignment: alignment, dropsBehind: false)
  }

  /// Reads through the page cache that leave nothing in it.
  package static func buffered(
    _ open: OpenFiles, depth: Int
  ) throws(StoreError) -> ThreadedBackend {
    try DirectAccess.disable(open)
    // Reading ahead would fetch bytes that nobody asked for.
    for index in open.files.indices { open.input(index).adviseRandomReads() }
    return try ThreadedBackend(
      name: "buffered", open, depth: depth, alignment: 1, dropsBehind: true)
  }

  private init(
    name: String, _ open: OpenFiles, depth: Int, alignment: Int, dropsBehind: Bool
  ) throws(StoreError) {
    self.name = name
    self.open = open
    self.depth = depth
    self.alignment = alignment
    workers = try ReadWorkers(
      descriptors: open.descriptors, depth: depth, threadCount: min(depth, Self.threadCountMax),
      dropsBehind: dropsBehind, backendName: name)
    let how =
      dropsBehind ? "through the page cache, dropped after use" : "direct, alignment \(alignment)"
    report = "\(name): \(workers.threadCount) threads, \(how)"
  }

  deinit { workers.stop() }

  package func submit(_ requests: UnsafeBufferPointer<StoreRequest>) throws(StoreError) {
    unsafe workers.submit(requests)
  }

  package func reap(
    into completions: UnsafeMutableBufferPointer<StoreCompletion>, waiting: Bool
  ) throws(StoreError) -> Int {
    unsafe workers.reap(into: completions, waiting: waiting)
  }

  package func identity(ofFile index: Int) throws(StoreError) -> FileIdentity {
    try open.identity(of: index)
  }
}
