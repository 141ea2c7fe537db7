private import CMoERing
private import MoECore

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Direct reads (O_DIRECT): turning them on for a model's files and making sure that they work.
enum DirectAccess {
  /// Turns direct reads on for every file and returns the alignment that suits all of them.
  ///
  /// Throws `backendUnavailable` where a file system has none; reads are buffered then.
  static func enable(_ open: OpenFiles, forBackend name: String) throws(StoreError) -> Int {
    var alignment = 1
    for (file, descriptor) in zip(open.files, open.descriptors) {
      let status = moe_direct_set(descriptor, 1)
      guard status == 0 else {
        throw unavailable(name, file, "the file system has no direct reads", code: -status)
      }
      alignment = max(alignment, try self.alignment(of: file, descriptor, forBackend: name))
    }
    return alignment
  }

  /// Back to reads through the page cache.
  static func disable(_ open: OpenFiles) throws(StoreError) {
    for (file, descriptor) in zip(open.files, open.descriptors) {
      let status = moe_direct_set(descriptor, 0)
      guard status == 0 else { throw .cannotOpen(path: file.path, code: -status) }
    }
  }

  /// Reads one block of every file through `read`, which returns a count or a negative errno
  /// value: that a flag is accepted does not mean that it works.
  static func probe(
    _ open: OpenFiles, alignment: Int, forBackend name: String,
    read: (_ fileIndex: Int, _ block: UnsafeMutableRawBufferPointer) -> Int
  ) throws(StoreError) {
    let block = UnsafeMutableRawBufferPointer.allocate(
      byteCount: alignment, alignment: AlignedBuffer.pageByteCount)
    defer { unsafe block.deallocate() }
    for (index, file) in open.files.enumerated() {
      let result = unsafe read(index, block)
      if result < 0 {
        throw unavailable(name, file, "a direct read failed", code: Int32(-result))
      }
      if result < min(file.byteCount, 1) {
        throw .backendUnavailable(name: name, reason: "\(file.path): a direct read gave nothing")
      }
    }
  }

  private static func alignment(
    of file: StoreFile, _ descriptor: Int32, forBackend name: String
  ) throws(StoreError) -> Int {
    var told = moe_direct_alignment()
    let status = unsafe moe_direct_query(descriptor, &told)
    guard status >= 0 else {
      throw unavailable(name, file, "the kernel says that the file has no direct reads", code: 0)
    }
    // Where the kernel does not tell, a page is enough for every common file system.
    guard status > 0 else { return AlignedBuffer.pageByteCount }
    let (memory, offset) = (Int(told.memory), Int(told.offset))
    guard memory <= AlignedBuffer.pageByteCount, memory.nonzeroBitCount == 1,
      offset <= 1 << 16, offset.nonzeroBitCount == 1
    else {
      throw unavailable(
        name, file, "direct reads want an alignment of \(memory) in memory, \(offset) in the file",
        code: 0)
    }
    return max(memory, offset)
  }

  private static func unavailable(
    _ name: String, _ file: StoreFile, _ what: String, code: Int32
  ) -> StoreError {
    let message = code == 0 ? "" : ": \(systemMessage(code))"
    return .backendUnavailable(name: name, reason: "\(file.path): \(what)\(message)")
  }
}
