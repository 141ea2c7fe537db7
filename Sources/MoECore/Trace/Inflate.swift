private import CZlib

/// Decompresses raw deflate data (RFC 1951), which is what compressed `.npz` members hold.
///
/// The bytes are untrusted: whatever they hold ends in `byteCount` bytes or in `InflateError`, and
/// no more than `byteCount` bytes are ever held.
package func inflate(
  _ bytes: ArraySlice<UInt8>, byteCount: Int
) throws(InflateError) -> [UInt8] {
  // A size that no such data can have is refused before there is room for it.
  guard byteCount >= 0, byteCount / expansionMax <= bytes.count else { throw InflateError() }
  var stream = unsafe z_stream()
  // Negative: no header and no checksum around the data.
  let started = unsafe inflateInit2_(
    &stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
  guard started == Z_OK else { throw InflateError() }
  defer { unsafe inflateEnd(&stream) }
  // One byte more than wanted, so that data that go on are told from data that end.
  var output = [UInt8](repeating: 0, count: byteCount + 1)
  var status = Z_OK
  unsafe bytes.withUnsafeBufferPointer { source in
    unsafe output.withUnsafeMutableBufferPointer { target in
      status = unsafe inflate(&stream, source, target)
    }
  }
  guard status == Z_STREAM_END, unsafe Int(stream.total_out) == byteCount else {
    throw InflateError()
  }
  output.removeLast()
  return output
}

package struct InflateError: Error {}

/// Bytes that one byte of deflate data can stand for at most: the longest repetition, 258 bytes, in
/// two bits.
private let expansionMax = 1032

/// Runs the stream from source to target; returns the status with which it ended.
private func inflate(
  _ stream: inout z_stream, _ source: UnsafeBufferPointer<UInt8>,
  _ target: UnsafeMutableBufferPointer<UInt8>
) -> Int32 {
  // zlib counts what is left in 32 bits, so large data go piece by piece.
  let pieceByteCountMax = 1 << 30
  var (read, written) = (0, 0)
  while true {
    let (sourceCount, targetCount) = (
      min(source.count - read, pieceByteCountMax), min(target.count - written, pieceByteCountMax)
    )
    unsafe stream.next_in = UnsafeMutablePointer(
      mutating: source.baseAddress.map { unsafe $0 + read })
    unsafe stream.avail_in = UInt32(sourceCount)
    unsafe stream.next_out = target.baseAddress.map { unsafe $0 + written }
    unsafe stream.avail_out = UInt32(targetCount)
    let status = unsafe inflate(&stream, Z_NO_FLUSH)
    let taken = unsafe sourceCount - Int(stream.avail_in)
    let given = unsafe targetCount - Int(stream.avail_out)
    read += taken
    written += given
    // Without progress there is no more to come: the data or the room for them have ended.
    guard status == Z_OK, taken + given > 0 else { return status }
  }
}
