package import MoECore
private import MoEPlatform

/// Reads extents of a model's files into memory, in the background of the thread that computes.
///
/// The one place for all policy of reading: extents are widened to the alignment that direct reads
/// want and cut into requests; at most `depth` are under way, demand before prefetch; short reads
/// go on where they stopped; transient errors are tried again; everything else is a `StoreError`,
/// after which the reader waits for what is under way and answers every call with that same error.
///
/// One thread at a time owns a reader. It submits reads under a tag and takes completed tags, in
/// any order; `submit` and `next` allocate nothing. Memory that a read goes to must stay until its
/// tag came back, or `drain` returned.
@safe package final class ExtentReader {
  /// Sizes that are fixed when a reader is made.
  package struct Limits: Sendable {
    /// Requests under way at a time; backends may lower it.
    package var depth = 32
    /// Of these, how many prefetches may hold, so that a demand finds the disk's queue short.
    /// Nil for half of the depth.
    package var prefetchDepth: Int?
    /// Extents are cut into requests of at most this size, a multiple of 4 KiB.
    package var maxRequestByteCount = 1 << 20
    /// Tags submitted and not yet taken back.
    package var tagCapacity = 1024
    /// Parts submitted and not yet sent.
    package var partCapacity = 4096
    /// Tries of one request without progress, and the pause that grows with each after the third:
    /// 2 ms in the end, 100 ms in all.
    package var attemptCountMax = 100
    package var pauseNanoseconds = 20_000

    package init() {}
  }

  package struct Counters: Equatable, Sendable {
    /// Bytes that came from the files, including what alignment added and what was read again.
    package var readByteCount = 0
    package var requestCount = 0
    /// Requests sent again after a short read or a transient error.
    package var retryCount = 0
    /// Time the owner spent waiting in `next`, `read` and `drain`.
    package var waitNanoseconds = 0
    package var inFlightCountMax = 0
  }

  package let files: [StoreFile]
  /// Where extents lie in the memory they are read to.
  package let placement: ReadPlacement
  package let limits: Limits
  package internal(set) var counters = Counters()
  /// Set by the first error; from then on every call that can throws it.
  package internal(set) var failure: StoreError?
  /// Tags whose reads are not complete.
  package internal(set) var pendingTagCount = 0

  /// Receives the times of reads and of waiting for them.
  package var timeline: Timeline?

  let backend: any StoreBackend
  /// (disk, file): every file that is open, those of the model itself first.
  let copies: [StoreFile]
  var choice: CopyChoice
  let prefetchDepth: Int
  var table: ReadTable
  var retries: FixedQueue<Int>
  var completedTags: FixedQueue<Int>
  var inFlightCount = 0
  var prefetchPieceCount = 0
  let requests: UnsafeMutablePointer<StoreRequest>
  let completions: UnsafeMutableBufferPointer<StoreCompletion>
  private let identities: [FileIdentity]
  private let skippedBackends: [SkippedBackend]

  /// Opens the files and chooses the backend.
  ///
  /// - Parameter mirrors: Copies of all files on other disks, in the same order; whoever names them
  ///   has made sure that they hold the same bytes.
  package convenience init(
    files: [StoreFile], mirrors: [[StoreFile]] = [], backend choice: BackendChoice = .automatic,
    limits: Limits = Limits()
  ) throws(StoreError) {
    try Self.check(limits)
    let copies = files + mirrors.flatMap { $0 }
    let selection = try BackendSelection(choice, for: OpenFiles(copies), depth: limits.depth)
    try self.init(selection, files: files, mirrors: mirrors, limits: limits)
  }

  /// Reads through a given backend; its files are known by `files` in errors and for their sizes.
  package convenience init(
    backend: any StoreBackend, files: [StoreFile], mirrors: [[StoreFile]] = [],
    limits: Limits = Limits()
  ) throws(StoreError) {
    try Self.check(limits)
    try self.init(BackendSelection(backend), files: files, mirrors: mirrors, limits: limits)
  }

  package init(
    _ selection: BackendSelection, files: [StoreFile], mirrors: [[StoreFile]] = [], limits: Limits
  ) throws(StoreError) {
    precondition(mirrors.allSatisfy { $0.count == files.count })
    var limits = limits
    let backend = selection.backend
    limits.depth = min(limits.depth, backend.depth)
    limits.maxRequestByteCount = max(limits.maxRequestByteCount, backend.alignment)
    try selection.checkAlignment()
    var identities: [FileIdentity] = []
    let copies = files + mirrors.flatMap { $0 }
    for index in copies.indices { identities.append(try backend.identity(ofFile: index)) }
    self.identities = identities
    self.files = files
    self.copies = copies
    self.choice = CopyChoice(diskCount: 1 + mirrors.count)
    self.backend = backend
    self.limits = limits
    skippedBackends = selection.skipped
    placement = ReadPlacement(alignment: backend.alignment)
    prefetchDepth = max(1, min(limits.prefetchDepth ?? limits.depth / 2, limits.depth))
    unsafe requests = .allocate(capacity: limits.depth)
    unsafe completions = .allocate(capacity: limits.depth)
    unsafe completions.initialize(repeating: StoreCompletion(tag: 0, result: 0))
    table = unsafe ReadTable(
      // One group more for a synchronous read.
      groupCapacity: limits.tagCapacity + 1, partCapacity: limits.partCapacity,
      pieceCapacity: limits.depth, nowhere: UnsafeMutableRawPointer(requests))
    retries = FixedQueue(capacity: limits.depth)
    completedTags = FixedQueue(capacity: limits.tagCapacity)
  }

  deinit {
    drain()
    unsafe requests.deallocate()
    unsafe completions.deallocate()
  }

  /// How the files are read and what could not be had, for the report of a run.
  package var report: String {
    let disks = choice.diskCount > 1 ? ["from \(choice.diskCount) copies"] : []
    return ([backend.report] + disks + choice.notes + skippedBackends.map(\.description))
      .joined(separator: "; ")
  }

  /// Tells the backend of memory that many reads will go to (the pool). Waits for reads under way.
  /// That the system refuses is no error; the report says so.
  package func registerBuffers(_ regions: [ByteView]) {
    drain()
    // Reads may still be under way in a backend that failed.
    guard failure == nil else { return }
    backend.registerBuffers(regions)
  }

  /// Throws `fileChanged` if a file is not what it was when the reader was made. To be called after
  /// completions were taken and before their bytes are used: a handful of system calls.
  package func verifyUnchanged() throws(StoreError) {
    try throwFailure()
    for (index, expected) in identities.enumerated() {
      let found: FileIdentity
      do throws(StoreError) {
        found = try backend.identity(ofFile: index)
      } catch {
        throw fail(error)
      }
      if let change = expected.change(to: found) {
        throw fail(.fileChanged(path: copies[index].path, change))
      }
    }
  }

  func throwFailure() throws(StoreError) {
    if let failure { throw failure }
  }

  private static func check(_ limits: Limits) throws(StoreError) {
    let block = 4096
    let ranges = [
      ("the read depth", limits.depth, 1...4096, 1),
      ("the largest request", limits.maxRequestByteCount, block...(1 << 30), block),
      ("the number of tags", limits.tagCapacity, 1...(1 << 20), 1),
      ("the number of parts", limits.partCapacity, 1...(1 << 24), 1),
      ("the number of tries", limits.attemptCountMax, 1...(1 << 20), 1),
      ("the pause between tries", limits.pauseNanoseconds, 0...1_000_000, 1),
    ]
    for (name, value, range, unit) in ranges where !range.contains(value) || value % unit != 0 {
      let multiple = unit == 1 ? "" : " and a multiple of \(unit)"
      throw .invalidSetting(
        name: name, wanted: "from \(range.lowerBound) to \(range.upperBound)\(multiple)",
        found: "\(value)")
    }
  }
}
