package import MoEPlatform

/// Writes a routing trace as a `.moetrace` file while it is recorded, through a buffer of 64 KiB:
/// what a recording takes does not grow with it, and nothing is allocated for a token.
///
/// Calls go: for each sequence `beginSequence`; for each pass `beginPass`, as many `add(token:)` as
/// the pass has tokens, then for each layer and in it for each token `addSelection`; `endPass`. A
/// pass that was not ended, because it failed, is left out of the file. At last `finish`: until
/// then the file has another name, and without it there is none.
///
/// The first thing that the system refuses is kept in `failure` and thrown by `finish`; what is
/// written after it goes nowhere.
@safe package final class RoutingTraceWriter {
  package let path: String
  package let metadata: RoutingTraceMetadata
  package let contents: RoutingTraceContents
  package private(set) var failure: RoutingTraceWriteError?
  /// What is in the file for good.
  package private(set) var tokenCount = 0
  package private(set) var sequenceCount = 0

  /// Where the file stood when its last pass ended.
  private struct Mark {
    var offset = 0
    var checksum = CRC32()
    var promptHash = FNV1a()
  }

  private let file: ReplacementFile
  private let buffer: AlignedBuffer
  private let recordByteCount: Int
  private let isShort: Bool
  /// Bytes of the buffer that are in use, and how many of them the checksum has taken in.
  private var usedByteCount = 0
  private var summedByteCount = 0
  /// Where the buffer begins in the file.
  private var offset = 0
  private var checksum = CRC32()
  private var promptHash = FNV1a()
  private var mark = Mark()
  private var label = ""
  private var isSequenceNew = true
  private var passTokenCount = 0
  private var passPhase: InferencePhase?

  private static let bufferByteCount = 64 << 10
  /// Longer labels are cut.
  private static let labelByteCountMax = 1024

  package init(
    path: String, metadata: RoutingTraceMetadata, contents: RoutingTraceContents
  ) throws(RoutingTraceWriteError) {
    precondition(
      metadata.expertsPerToken >= 1 && metadata.expertsPerToken <= metadata.expertCount
        && metadata.expertCount <= RoutingTraceFormat.expertCountMax
        && !metadata.layers.isEmpty)
    guard !contents.emptySlots || metadata.expertCount < RoutingTraceFormat.expertCountMax else {
      throw RoutingTraceWriteError(
        path: path,
        reason: "with \(metadata.expertCount) experts no number is left for an empty slot")
    }
    self.metadata = metadata
    self.contents = contents
    isShort = RoutingTraceFormat.isShort(metadata, contents)
    recordByteCount = RoutingTraceFormat.recordByteCount(metadata, contents)
    do {
      buffer = try AlignedBuffer(byteCount: max(Self.bufferByteCount, recordByteCount))
    } catch {
      throw RoutingTraceWriteError(path: path, reason: "\(error)")
    }
    buffer.populate()
    do throws(FileError) {
      file = try ReplacementFile(path)
    } catch {
      throw RoutingTraceWriteError(path: path, error)
    }
    self.path = file.path
    try writeHeader()
    sum()
    setMark()
  }

  /// Throws where `path` cannot be written, as far as can be told without writing it.
  package static func check(_ path: String) throws(RoutingTraceWriteError) {
    do throws(FileError) {
      try ReplacementFile.check(path)
    } catch {
      throw RoutingTraceWriteError(path: path, error)
    }
  }

  // What is recorded.

  /// The next pass begins a sequence.
  package func beginSequence(label: String) {
    dropPass()
    self.label = label
    isSequenceNew = true
  }

  /// - Parameter phase: Nil: unknown.
  package func beginPass(tokenCount: Int, phase: InferencePhase?) {
    precondition(tokenCount >= 1 && tokenCount <= Int(UInt32.max))
    dropPass()
    if isSequenceNew { writeSequence() }
    passTokenCount = tokenCount
    passPhase = phase
    makeRoom(6)
    put(RoutingTraceFormat.Block.pass)
    put(RoutingTraceFormat.code(of: phase))
    put(UInt32(tokenCount))
  }

  /// A token's number in the vocabulary; ignored where the file is to have none.
  package func add(token: Int32) {
    guard contents.tokenIDs else { return }
    makeRoom(4)
    put(UInt32(bitPattern: token))
    if passPhase != .decode { promptHash.update(UInt32(bitPattern: token)) }
  }

  /// One token's selection in one layer.
  ///
  /// - Parameters:
  ///   - count: Experts that the token takes; fewer than the trace's `k` only in a file that may
  ///     have empty slots. Nil: `k`.
  ///   - expert, weight: By rank, the best first. Weights are not asked for where the file is to
  ///     have none.
  ///   - logit: Of any expert; not asked for where the file is to have none.
  package func addSelection(
    count: Int? = nil, expert: (_ rank: Int) -> Int, weight: (_ rank: Int) -> Float,
    logit: (_ expert: Int) -> Float
  ) {
    let count = count ?? metadata.expertsPerToken
    precondition(count == metadata.expertsPerToken || contents.emptySlots)
    makeRoom(recordByteCount)
    for rank in 0..<metadata.expertsPerToken {
      let expert = rank < count ? expert(rank) : Int(UInt16.max)
      if isShort {
        put(UInt8(truncatingIfNeeded: expert))
      } else {
        put(UInt16(truncatingIfNeeded: expert))
      }
    }
    if contents.weights {
      for rank in 0..<metadata.expertsPerToken {
        put(rank < count ? Float16(weight(rank)).bitPattern : 0)
      }
    }
    guard contents.logits else { return }
    for expert in 0..<metadata.expertCount { put(logit(expert).bitPattern) }
  }

  package func endPass() {
    if isSequenceNew { sequenceCount += 1 }
    isSequenceNew = false
    tokenCount += passTokenCount
    passTokenCount = 0
    sum()
    setMark()
  }

  /// Ends the file and gives it its name. Returns its size in bytes.
  @discardableResult
  package func finish() throws(RoutingTraceWriteError) -> Int {
    dropPass()
    makeRoom(21)
    put(RoutingTraceFormat.Block.end)
    put(UInt64(tokenCount))
    put(contents.tokenIDs ? promptHash.value : metadata.promptHash ?? 0)
    sum()
    put(checksum.value)
    summedByteCount = usedByteCount
    flush()
    if failure == nil { attempt { () throws(FileError) in try file.commit() } }
    if let failure { throw failure }
    return offset
  }

  // Blocks.

  private func writeHeader() throws(RoutingTraceWriteError) {
    var members = metadata.members
    // It stands at the end, once the tokens are known.
    members[RoutingTraceMetadata.Key.promptHash] = nil
    members[RoutingTraceMetadata.Key.contents] = .array(
      RoutingTraceContents.names.filter { contents[keyPath: $0.path] }.map { .string($0.name) })
    let text = JSONValue.object(members).text
    let bytes = Array(text.utf8)
    guard bytes.count <= RoutingTraceFormat.headerByteCountMax else {
      throw RoutingTraceWriteError(
        path: path, reason: "its description has \(bytes.count) bytes, which is more than 1 MiB")
    }
    put(bytes: RoutingTraceFormat.magic)
    makeRoom(8)
    put(RoutingTraceFormat.version)
    put(UInt32(bytes.count))
    put(bytes: bytes)
  }

  private func writeSequence() {
    var text = label
    while text.utf8.count > Self.labelByteCountMax { text.unicodeScalars.removeLast() }
    makeRoom(3)
    put(RoutingTraceFormat.Block.sequence)
    put(UInt16(text.utf8.count))
    put(bytes: Array(text.utf8))
    // So that the same tokens cut into other sequences are other prompts.
    promptHash.update(UInt32.max)
  }

  private func setMark() {
    mark = Mark(offset: offset + usedByteCount, checksum: checksum, promptHash: promptHash)
  }

  /// Takes back what was written since the last pass ended.
  private func dropPass() {
    guard offset + usedByteCount > mark.offset else { return }
    passTokenCount = 0
    (checksum, promptHash) = (mark.checksum, mark.promptHash)
    if mark.offset >= offset {
      usedByteCount = mark.offset - offset
    } else {
      usedByteCount = 0
      offset = mark.offset
      attempt { () throws(FileError) in try file.truncate(to: offset) }
    }
    summedByteCount = usedByteCount
  }

  // Bytes.

  /// Makes the buffer have room for so many bytes, at most its size.
  @inline(__always)
  private func makeRoom(_ byteCount: Int) {
    if usedByteCount + byteCount > buffer.byteCount { flush() }
  }

  /// Little-endian. There must be room.
  @inline(__always)
  private func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    let size = MemoryLayout<Value>.size
    precondition(usedByteCount + size <= buffer.byteCount)
    unsafe buffer.baseAddress.storeBytes(
      of: value.littleEndian, toByteOffset: usedByteCount, as: Value.self)
    usedByteCount += size
  }

  private func put(bytes: [UInt8]) {
    for byte in bytes {
      makeRoom(1)
      put(byte)
    }
  }

  private func sum() {
    checksum.update(
      buffer.bytes(atOffset: summedByteCount, count: usedByteCount - summedByteCount))
    summedByteCount = usedByteCount
  }

  private func flush() {
    sum()
    if failure == nil {
      let bytes = unsafe UnsafeRawBufferPointer(start: buffer.baseAddress, count: usedByteCount)
      attempt { () throws(FileError) in try unsafe file.write(bytes) }
    }
    offset += usedByteCount
    usedByteCount = 0
    summedByteCount = 0
  }

  /// Keeps the first failure.
  private func attempt(_ act: () throws(FileError) -> Void) {
    do throws(FileError) {
      try act()
    } catch {
      if failure == nil { failure = RoutingTraceWriteError(path: path, error) }
    }
  }
}

/// Why a routing trace could not be written: one sentence.
package struct RoutingTraceWriteError: Error, Sendable, CustomStringConvertible {
  package let path: String
  package let reason: String

  package init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// - Parameter path: As the user gave it.
  package init(path: String, _ error: FileError) {
    let reason =
      if case .notRegular = error {
        "it is there already and is not a regular file"
      } else {
        error.reason
      }
    self.init(path: path, reason: reason)
  }

  package var description: String { "the routing trace '\(path)' cannot be written: \(reason)" }
}
