/// Writes `.npz` archives as NumPy does, for tests of whatever reads them.
package enum NumpyArchive {
  /// An archive of one array 'experts' of little-endian int16, stored without compression.
  package static func experts(_ values: [Int16], shape: [Int], type: String = "<i2") -> [UInt8] {
    let shapeText = shape.map(String.init).joined(separator: ", ")
    let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(shapeText)), }\n"
    var array: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    array += little(header.utf8.count, 2) + Array(header.utf8)
    for value in values { array += little(Int(UInt16(bitPattern: value)), 2) }
    return zip(name: "experts.npy", contents: array)
  }

  /// A zip file of one member: stored, or of compressed data that the caller made.
  package static func zip(
    name: String, contents: [UInt8], deflated: [UInt8]? = nil, byteCount: Int? = nil
  ) -> [UInt8] {
    let method = little(deflated == nil ? 0 : 8, 2)
    let data = deflated ?? contents
    let sizes =
      little(Int(checksum(contents)), 4) + little(data.count, 4)
      + little(byteCount ?? contents.count, 4)
    let nameBytes = Array(name.utf8)
    let local =
      [0x50, 0x4B, 3, 4, 20, 0, 0, 0] + method + [0, 0, 0, 0] + sizes
      + little(nameBytes.count, 2) + [0, 0] + nameBytes + data
    let directory =
      [0x50, 0x4B, 1, 2, 20, 0, 20, 0, 0, 0] + method + [0, 0, 0, 0] + sizes
      + little(nameBytes.count, 2) + Array(repeating: 0, count: 12) + little(0, 4) + nameBytes
    let end =
      [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + little(1, 2) + little(1, 2) + little(directory.count, 4)
      + little(local.count, 4) + [0, 0]
    return local + directory + end
  }

  private static func little(_ value: Int, _ byteCount: Int) -> [UInt8] {
    (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  /// CRC-32, bit by bit.
  package static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var remainder = ~UInt32(0)
    for byte in bytes {
      remainder ^= UInt32(byte)
      for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    return ~remainder
  }
}
