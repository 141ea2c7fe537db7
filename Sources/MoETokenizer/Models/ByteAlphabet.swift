/// The printable characters that stand for the 256 bytes in a byte-level vocabulary.
///
/// Bytes that Latin-1 shows as visible characters stand for themselves; the other 68 (controls,
/// spaces, the soft hyphen) take the code points from 256 on, in order. So a space is `Ġ`.
enum ByteAlphabet {
  static func scalar(for byte: UInt8) -> Unicode.Scalar {
    let value = UInt16(byte)
    let scalar: UInt16 =
      switch value {
      case 0...32: 256 + value
      case 127...160: 256 + 33 + (value - 127)
      case 173: 256 + 33 + 34
      default: value
      }
    return Unicode.Scalar(scalar) ?? Unicode.Scalar(byte)
  }

  /// Nil where the scalar stands for no byte.
  static func byte(for scalar: UInt32) -> UInt8? {
    switch scalar {
    case 33...126, 161...172, 174...255: UInt8(scalar)
    case 256...288: UInt8(scalar - 256)
    case 289...322: UInt8(scalar - 289 + 127)
    case 323: 173
    default: nil
    }
  }
}
