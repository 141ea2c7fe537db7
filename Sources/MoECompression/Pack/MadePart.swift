package import MoECore

/// A part of an expert that was made of the model's, in memory of its own.
package final class MadePart {
  private let buffer: AlignedBuffer
  private let byteCount: Int

  init(byteCount: Int) throws(OutOfMemory) {
    buffer = try AlignedBuffer(byteCount: byteCount)
    self.byteCount = byteCount
  }

  /// Valid while this lives.
  package var bytes: ByteView { buffer.bytes(count: byteCount) }
}
