#if TLS
  import MoECore
  import MoEPlatform

  /// Brings one file into the cache folder: goes on with what an earlier transfer left, takes up
  /// what breaks off, and checks size and digest of the whole.
  struct FileTransfer {
    private let hub: Hub
    private let file: HubFile
    private let address: HubAddress
    private let subject: HubTransport.Subject
    private let partial: ResumableFile
    private let progress: TransferProgress

    /// Bytes that are on the disk and in the hasher.
    private var offset = 0
    private var hasher: FileHasher
    /// Of the state of the file that this transfer has had a part of.
    private var tag: String?
    /// Whether some of it came from an earlier transfer.
    private var isResumed = false

    private static let blockByteCount = 1 << 20
    /// So much is written before the kernel is asked to forget what is on the disk.
    private static let flushByteCount = 16 << 20

    init(
      _ file: HubFile, from address: HubAddress, of hub: Hub, _ subject: HubTransport.Subject,
      into partial: ResumableFile, _ progress: TransferProgress
    ) {
      (self.file, self.address, self.hub, self.subject) = (file, address, hub, subject)
      (self.partial, self.progress) = (partial, progress)
      hasher = FileHasher(file)
    }

    mutating func run() async throws(HubError) {
      try await takeUp()
      try await fetch()
      if !hasher.isAsWanted(), isResumed {
        // What an earlier transfer left was damaged, or of another file.
        try startOver()
        try await fetch()
      }
      guard hasher.isAsWanted() else {
        try startOver()
        throw .wrongDigest(file: file.path)
      }
      try onDisk { () throws(FileError) in try partial.commit() }
    }

    /// Reads what is there, for the digest of the whole.
    private mutating func takeUp() async throws(HubError) {
      let byteCount = try onDisk { () throws(FileError) in try partial.byteCount() }
      guard byteCount <= file.byteCount else { return try startOver() }
      while offset < byteCount {
        if Task.isCancelled { throw .cancelled }
        let count = min(Self.blockByteCount, byteCount - offset)
        let start = offset
        let bytes = try onDisk { () throws(FileError) in try partial.bytes(at: start, count: count)
        }
        guard bytes.count == count else { return try startOver() }
        unsafe bytes.withUnsafeBytes { unsafe hasher.update($0) }
        partial.flush(offset..<offset + count, behind: 0..<0)
        offset += count
        progress.hold(count)
        // Others have files to go on with, too.
        await Task.yield()
      }
      isResumed = offset > 0
    }

    private mutating func startOver() throws(HubError) {
      progress.hold(-offset)
      (offset, tag, isResumed) = (0, nil, false)
      hasher = FileHasher(file)
      try onDisk { () throws(FileError) in try partial.truncate(to: 0) }
    }

    /// Asks for the rest, and again for what then is the rest, until all is there. Each time the
    /// hub is asked first: the address that it gave may be good no longer.
    private mutating func fetch() async throws(HubError) {
      var pause = RetryPause(hub.settings)
      var (farthest, failureCount) = (offset, 0)
      while offset < file.byteCount {
        do throws(HubError) {
          try await fetchPart()
        } catch {
          guard error.isTransient else { throw error }
          if offset > farthest {
            (farthest, failureCount) = (offset, 0)
            pause.reset()
          }
          failureCount += 1
          guard failureCount < hub.settings.failureCountMax else { throw error }
          try await pause.wait(after: error)
        }
      }
    }

    private mutating func fetchPart() async throws(HubError) {
      var headers: [(String, String)] = []
      if offset > 0 {
        headers.append(("Range", "bytes=\(offset)-"))
        if let tag { headers.append(("If-Range", tag)) }
      }
      let answer = try await hub.transport.get(address, headers: headers, subject)
      if let linked = answer.linked.byteCount, linked != file.byteCount {
        throw .wrongSize(file: file.path, wanted: file.byteCount, found: linked)
      }
      try begin(answer)
      tag = answer.strongTag
      try await unsafe answer.forEachPart(of: file.path) { bytes throws(HubError) in
        try unsafe take(bytes)
        return true
      }
      guard offset == file.byteCount else {
        throw .dropped(what: file.path, reason: "it ended after \(offset) bytes")
      }
    }

    /// Looks at where the answer begins, and goes back there: a server may send the whole file
    /// whatever was asked for.
    private mutating func begin(_ answer: HubAnswer) throws(HubError) {
      if let coding = answer.header("content-encoding"), coding != "identity" {
        throw .badAnswer(
          what: file.path, wanted: "the file as it is",
          found: "it coded as \(coding.quotedForMessage)")
      }
      switch answer.status {
      case 206:
        guard let range = answer.contentRange, range.bytes.lowerBound == offset,
          range.bytes.upperBound < file.byteCount, range.total ?? file.byteCount == file.byteCount
        else {
          let found = answer.header("content-range") ?? "no range"
          throw .badAnswer(
            what: file.path, wanted: "its bytes from \(offset) on, of \(file.byteCount)",
            found: found.quotedForMessage)
        }
      case 200:
        if offset > 0 { try startOver() }
        if let byteCount = answer.byteCount, byteCount != file.byteCount {
          throw .wrongSize(file: file.path, wanted: file.byteCount, found: byteCount)
        }
      default:
        try startOver()
        throw .dropped(what: file.path, reason: "\(answer.host) has no such part of it")
      }
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) throws(HubError) {
      if Task.isCancelled { throw .cancelled }
      guard bytes.count <= file.byteCount - offset else {
        throw .wrongSize(file: file.path, wanted: file.byteCount, found: offset + bytes.count)
      }
      let start = offset
      try onDisk { () throws(FileError) in try unsafe partial.write(bytes, at: start) }
      unsafe hasher.update(bytes)
      offset += bytes.count
      let block = Self.flushByteCount
      if offset / block > start / block {
        let end = offset / block * block
        partial.flush(end - block..<end, behind: max(0, end - 2 * block)..<end - block)
      }
      progress.receive(bytes.count)
    }

    private func onDisk<Result>(
      _ work: () throws(FileError) -> Result
    ) throws(HubError) -> Result {
      do throws(FileError) {
        return try work()
      } catch {
        throw .file(error)
      }
    }
  }
#endif
