private import CMoERing
private import MoECore
private import MoEPlatform

/// Direct reads (O_DIRECT): turning them on for a model's files and making sure that they work.
package enum DirectAccess {
  /// Turns direct reads on for every file and returns the alignment that suits all of them.
  ///
  /// Throws `backendUnavailable` where a file system has none; reads are buffered then.
  static func enable(_ open: OpenFiles, forBackend name: String) throws(StoreError) -> Int {
    var alignment = 1
    for (file, descriptor) in zip(open.files, open.descriptors) {
      let status = moe_direct_set(descriptor, 1)
      guard status == 0 else {
        throw .backendUnavailable(
          name: name, reason: .noDirectReads(path: file.path, code: -status))
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

  /// Reads one block of every file through `read`, which returns a count or a negative `errno`
  /// value: that a flag is accepted does not mean that it works, nor that what was read did not go
  /// through the page cache, which would grow past every budget.
  package static func probe(
    _ open: OpenFiles, alignment: Int, forBackend name: String,
    read: (_ fileIndex: Int, _ offset: Int, _ block: UnsafeMutableRawBufferPointer) -> Int
  ) throws(StoreError) {
    let block = UnsafeMutableRawBufferPointer.allocate(
      byteCount: alignment, alignment: ReadPlacement.alignmentMax)
    defer { unsafe block.deallocate() }
    for (index, file) in open.files.enumerated() {
      var bufferedCount = 0
      while bufferedCount < attemptCount {
        let place = probePlace(open.input(index), alignment: alignment, attempt: bufferedCount)
        defer { open.input(index).dropFromPageCache(place.bytes) }
        let result = unsafe read(index, place.bytes.lowerBound, block)
        if result < 0 {
          let code = Int32(truncatingIfNeeded: -result)
          throw .backendUnavailable(
            name: name, reason: .directReadFailed(path: file.path, code: code))
        }
        guard result >= min(file.byteCount, 1) else {
          throw .backendUnavailable(name: name, reason: .directReadGaveNothing(path: file.path))
        }
        let cachedByteCount = open.input(index).cachedByteCount(in: place.bytes) ?? 0
        guard place.isUncached, cachedByteCount > 0 else { break }
        bufferedCount += 1
      }
      guard bufferedCount < attemptCount else {
        throw .backendUnavailable(name: name, reason: .directReadsAreBuffered(path: file.path))
      }
    }
  }

  /// Another program may read a block through the page cache between our read and our look, but not
  /// so many in a row.
  private static let attemptCount = 5

  /// A block of the file that the page cache does not hold, so that it can be seen whether a read
  /// puts it there. Where every candidate is held, the first: another program may be using the
  /// file, it may be new, or live in the page cache altogether.
  private static func probePlace(
    _ file: InputFile, alignment: Int, attempt: Int
  ) -> (bytes: Range<Int>, isUncached: Bool) {
    let last = max(file.identity.byteCount - 1, 0).alignedDown(to: alignment)
    // The header, which every program reads, comes last; each attempt begins at another place.
    for number in 0..<5 {
      let start = (last / 4 * (4 - (number + attempt) % 5)).alignedDown(to: alignment)
      let bytes = start..<start + alignment
      file.dropFromPageCache(bytes)
      if file.cachedByteCount(in: bytes) == 0 { return (bytes, true) }
    }
    return (0..<alignment, false)
  }

  private static func alignment(
    of file: StoreFile, _ descriptor: Int32, forBackend name: String
  ) throws(StoreError) -> Int {
    var told = moe_direct_alignment()
    let status = unsafe moe_direct_query(descriptor, &told)
    guard status >= 0 else {
      throw .backendUnavailable(name: name, reason: .fileHasNoDirectReads(path: file.path))
    }
    // Kernels that do not tell have no blocks larger than this on any common file system.
    guard status > 0 else { return 4096 }
    return try alignment(
      memory: Int(told.memory), offset: Int(told.offset), path: file.path, forBackend: name)
  }

  /// One alignment for memory and file that satisfies both; refuses what no buffer is planned for.
  package static func alignment(
    memory: Int, offset: Int, path: String, forBackend name: String
  ) throws(StoreError) -> Int {
    guard memory.nonzeroBitCount == 1, offset.nonzeroBitCount == 1,
      max(memory, offset) <= ReadPlacement.alignmentMax
    else {
      throw .backendUnavailable(
        name: name, reason: .alignment(path: path, memory: memory, offset: offset))
    }
    return max(memory, offset)
  }
}
