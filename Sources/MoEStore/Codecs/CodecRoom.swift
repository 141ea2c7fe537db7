private import CZstd
package import MoECore
package import MoEKernels
private import Synchronization

/// The memory in which codecs work, and the team that does it: made once, so that decoding an
/// expert allocates nothing.
///
/// One thread at a time uses a room; its workers have a share of the memory each.
@safe package final class CodecRoom: Sendable {
  package let team: WorkerTeam
  // Sendable because each worker uses its own context and memory, and one call is made at a time.
  private nonisolated(unsafe) let decoders: [OpaquePointer]
  private nonisolated(unsafe) let encoders: [OpaquePointer]
  private let scratch: AlignedBuffer
  private let hasFailed = Atomic(false)

  /// The largest unit of work, decoded. A worker needs room for it as planes, and for their codes.
  static let unitByteCount = 128 << 10
  private static let scratchByteCount = 3 * unitByteCount
  /// What zstd holds for a decoder and an encoder; its own estimates, rounded up.
  private static let (decoderByteCount, encoderByteCount) = (256 << 10, 1 << 20)

  /// What a room takes from the memory budget.
  package static func byteCount(workerCount: Int, encodes: Bool) -> Int {
    AlignedBuffer.mappedByteCount(for: workerCount * scratchByteCount)
      + workerCount * (decoderByteCount + (encodes ? encoderByteCount : 0))
  }

  /// - Parameter encodes: Whether anything is to be coded, and not only decoded.
  package init(_ team: WorkerTeam, encodes: Bool = false) throws(OutOfMemory) {
    self.team = team
    let scratch = try AlignedBuffer(byteCount: team.workerCount * Self.scratchByteCount)
    var (decoders, encoders): ([OpaquePointer], [OpaquePointer]) = unsafe ([], [])
    for _ in 0..<team.workerCount {
      guard let decoder = unsafe ZSTD_createDCtx() else {
        throw OutOfMemory(byteCount: Self.decoderByteCount)
      }
      unsafe decoders.append(decoder)
      guard encodes else { continue }
      guard let encoder = unsafe ZSTD_createCCtx() else {
        throw OutOfMemory(byteCount: Self.encoderByteCount)
      }
      unsafe Self.configure(encoder)
      unsafe encoders.append(encoder)
    }
    unsafe self.decoders = decoders
    unsafe self.encoders = encoders
    self.scratch = scratch
  }

  deinit {
    unsafe decoders.forEach { decoder in unsafe ZSTD_freeDCtx(decoder) }
    unsafe encoders.forEach { encoder in unsafe ZSTD_freeCCtx(encoder) }
  }

  /// What gains in planes of weights is the entropy code of single bytes. Repetitions come by
  /// chance alone, and where any are found they slow decoding down by half; so the search, which
  /// cannot be switched off, remembers as few places as it can.
  private static func configure(_ encoder: OpaquePointer) {
    for (parameter, value) in [
      (ZSTD_c_compressionLevel, Int32(1)), (ZSTD_c_strategy, Int32(ZSTD_fast.rawValue)),
      (ZSTD_c_minMatch, 7), (ZSTD_c_hashLog, 6), (ZSTD_c_contentSizeFlag, 0),
      (ZSTD_c_checksumFlag, 0),
    ] {
      unsafe ZSTD_CCtx_setParameter(encoder, parameter, value)
    }
  }

  /// The memory of one worker.
  func scratch(ofWorker worker: Int) -> ByteView {
    scratch.bytes(atOffset: worker * Self.scratchByteCount, count: Self.scratchByteCount)
  }

  /// One frame into memory that must be filled by it; false where it is no such frame.
  func decompress(_ code: ByteView, into target: ByteView, worker: Int) -> Bool {
    let count = unsafe ZSTD_decompressDCtx(
      decoders[worker], target.pointer, target.count, code.pointer, code.count)
    return ZSTD_isError(count) == 0 && count == target.count
  }

  /// Bytes into one frame, at most as large as the room for it; nil where that does not do.
  func compress(_ bytes: ByteView, into target: ByteView, worker: Int) -> Int? {
    let count = unsafe ZSTD_compress2(
      encoders[worker], target.pointer, target.count, bytes.pointer, bytes.count)
    return ZSTD_isError(count) == 0 ? count : nil
  }

  /// Work in pieces of which some may fail; throws where any did.
  func forEachPiece(
    count: Int, cost: Int, _ body: (_ piece: Int, _ worker: Int) -> Bool
  ) throws(CodecError) {
    hasFailed.store(false, ordering: .relaxed)
    team.forEachPiece(count: count, cost: cost) { piece, worker in
      if !body(piece, worker) { hasFailed.store(true, ordering: .relaxed) }
    }
    if hasFailed.load(ordering: .relaxed) { throw .malformed }
  }
}
