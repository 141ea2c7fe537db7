private import CMoERing
package import MoECore
package import MoEPlatform

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Direct reads by io_uring: many requests per system call, completions without one, no threads.
@safe package final class RingBackend: StoreBackend {
  package let name = RingBackend.registryName
  package let alignment: Int
  package let depth: Int
  private let open: OpenFiles
  private let ring: OpaquePointer
  /// Descriptors, or indices into the kernel's table once it took them.
  private var fileHandles: [Int32]
  private var filesNote = "files registered"
  private var buffersNote = "no buffers registered"
  /// Registered memory, in the order of its indices.
  private var buffers: [ByteView] = []
  private let batch: UnsafeMutablePointer<moe_ring_completion>
  /// How often in a row the kernel had no memory or room for requests.
  private var refusalCount = 0
  /// Set by the first error of the ring itself. From then on nothing is read until the ring is
  /// closed: requests that nobody waits for any more may be in it, and their memory given to
  /// others.
  private var failure: StoreError?

  private static let registryName = "ring"
  /// What the kernel takes as one buffer.
  private static let bufferByteCountMax = 1 << 30
  /// Few enough to find by looking at each, and the limit of older kernels.
  private static let bufferCountMax = 1024
  /// Shortages pass, or after some seconds count as an error; the pause between is in microseconds.
  private static let (refusalCountMax, refusalPause) = (2000, UInt32(1000))

  /// Throws `backendUnavailable` where io_uring is forbidden or absent, or a file system has no
  /// direct reads. Makes sure by reading.
  package init(_ open: OpenFiles, depth: Int) throws(StoreError) {
    var made: OpaquePointer?
    let status = unsafe moe_ring_open(&made, UInt32(depth))
    guard status == 0, let ring = unsafe made else {
      throw .backendUnavailable(name: Self.registryName, reason: .ring(code: -status))
    }
    do throws(StoreError) {
      alignment = try DirectAccess.enable(open, forBackend: Self.registryName)
      try unsafe DirectAccess.probe(open, alignment: alignment, forBackend: Self.registryName) {
        index, offset, block in
        unsafe Self.readBlock(ring, descriptor: open.descriptors[index], offset, block)
      }
    } catch {
      unsafe moe_ring_close(ring)
      throw error
    }
    unsafe self.ring = ring
    self.open = open
    self.depth = depth
    unsafe batch = .allocate(capacity: depth)
    fileHandles = open.descriptors
    let registered = unsafe moe_ring_register_files(
      ring, open.descriptors, UInt32(open.descriptors.count))
    if registered == 0 {
      fileHandles = open.descriptors.indices.map { Int32($0) }
    } else {
      filesNote = "files not registered: \(systemMessage(-registered))"
    }
  }

  deinit {
    unsafe moe_ring_close(ring)
    unsafe batch.deallocate()
  }

  package var report: String {
    "ring: io_uring, direct, alignment \(alignment), depth \(depth), \(filesNote), \(buffersNote)"
  }

  package func submit(_ requests: UnsafeBufferPointer<StoreRequest>) throws(StoreError) {
    if let failure { throw failure }
    for index in requests.indices {
      let request = unsafe requests[index]
      var read = unsafe moe_ring_read(
        file: fileHandles[request.fileIndex], buffer: bufferIndex(for: request),
        byte_count: UInt32(request.byteCount), offset: UInt64(request.offset),
        destination: request.destination, tag: UInt64(request.tag))
      // The queue has `depth` places and no more requests than that are under way.
      let status = unsafe moe_ring_queue(ring, &read)
      precondition(status == 0)
    }
    // What the kernel does not take now stays queued; `reap` submits again and tells of errors.
    _ = unsafe moe_ring_submit(ring, 0)
  }

  package func reap(
    into completions: UnsafeMutableBufferPointer<StoreCompletion>, waiting: Bool
  ) throws(StoreError) -> Int {
    if let failure { throw failure }
    var count = unsafe takeCompletions(completions)
    guard count == 0 && waiting else { return count }
    let status = unsafe moe_ring_submit(ring, 1)
    switch -status {
    case 0, EINTR: refusalCount = 0
    case let code where (code == EAGAIN || code == EBUSY) && refusalCount < Self.refusalCountMax:
      refusalCount += 1
      usleep(Self.refusalPause)
    case let code:
      let error = StoreError.backendFailed(name: name, code: code)
      failure = error
      throw error
    }
    count = unsafe takeCompletions(completions)
    return count
  }

  package func registerBuffers(_ regions: [ByteView]) {
    buffers = Self.split(regions)
    let bases = unsafe buffers.map { unsafe Optional($0.pointer) }
    let byteCounts = buffers.map(\.count)
    let total = byteCounts.reduce(0, +)
    guard buffers.count <= Self.bufferCountMax else {
      buffersNote = "buffers not registered: more than \(Self.bufferCountMax)"
      buffers = []
      return
    }
    let status = unsafe moe_ring_register_buffers(ring, bases, byteCounts, UInt32(bases.count))
    guard status == 0 else {
      buffersNote = "buffers not registered: \(Self.registrationRefusal(code: -status))"
      buffers = []
      return
    }
    buffersNote = "\(ByteSize(total)) of buffers registered"
  }

  package func identity(ofFile index: Int) throws(StoreError) -> FileIdentity {
    try open.identity(of: index)
  }

  private func takeCompletions(
    _ target: UnsafeMutableBufferPointer<StoreCompletion>
  ) -> Int {
    let count = Int(unsafe moe_ring_reap(ring, batch, UInt32(min(target.count, depth))))
    for index in 0..<count {
      let completion = unsafe batch[index]
      unsafe target[index] = StoreCompletion(
        tag: Int(completion.tag), result: Int(completion.result))
    }
    return count
  }

  /// The registered buffer that holds all of a request's memory, or -1.
  private func bufferIndex(for request: StoreRequest) -> Int32 {
    let start = unsafe UnsafeRawPointer(request.destination)
    let end = unsafe start + request.byteCount
    for index in buffers.indices {
      let base = unsafe UnsafeRawPointer(buffers[index].pointer)
      if unsafe start >= base && end <= base + buffers[index].count { return Int32(index) }
    }
    return -1
  }

  private static func split(_ regions: [ByteView]) -> [ByteView] {
    var pieces: [ByteView] = []
    for region in regions {
      var start = 0
      while start < region.count {
        let end = min(start + bufferByteCountMax, region.count)
        pieces.append(region.slice(start, count: end - start))
        start = end
      }
    }
    return pieces
  }

  /// One read, waited for; a count or a negative errno value.
  private static func readBlock(
    _ ring: OpaquePointer, descriptor: Int32, _ offset: Int, _ block: UnsafeMutableRawBufferPointer
  ) -> Int {
    var read = unsafe moe_ring_read(
      file: descriptor, buffer: -1, byte_count: UInt32(block.count), offset: UInt64(offset),
      destination: block.baseAddress, tag: 0)
    let queued = unsafe moe_ring_queue(ring, &read)
    guard queued == 0 else { return Int(queued) }
    var completion = moe_ring_completion()
    while unsafe moe_ring_reap(ring, &completion, 1) == 0 {
      let status = unsafe moe_ring_submit(ring, 1)
      guard status == 0 || status == -EINTR || status == -EAGAIN else { return Int(status) }
    }
    return Int(completion.result)
  }

  private static func registrationRefusal(code: Int32) -> String {
    code == ENOMEM || code == EPERM
      ? "\(systemMessage(code)) (the limit of locked memory, ulimit -l, is too low)"
      : systemMessage(code)
  }
}
