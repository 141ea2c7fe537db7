import MoECore
import MoETestSupport
import Testing

@Suite struct ChecksumTests {
  /// The check value of the catalogue of parametrised CRC algorithms (CRC-32/ISO-HDLC).
  @Test func crcOfTheCheckText() {
    #expect(CRC32("123456789".utf8).value == 0xCBF4_3926)
    #expect(CRC32("".utf8).value == 0)
  }

  @Test func crcOfPiecesIsThatOfTheWhole() {
    let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 * $0 + 7) }
    let whole = CRC32(bytes).value
    #expect(whole == NumpyArchive.checksum(bytes))
    for cut in [0, 1, 150, 299, 300] {
      var pieces = CRC32(bytes[..<cut])
      pieces.update(bytes[cut...])
      #expect(pieces.value == whole)
    }
  }

  /// Published with the algorithm.
  @Test func fnvOfPublishedTexts() {
    for (text, value) in [
      ("", 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("foobar", 0x8594_4171_F739_67E8),
    ] as [(String, UInt64)] {
      var hash = FNV1a()
      for byte in text.utf8 { hash.update(byte) }
      #expect(hash.value == value, "\(text)")
    }
    var word = FNV1a()
    word.update(UInt32(0x6F6F_6661))
    var bytes = FNV1a()
    for byte in "afoo".utf8 { bytes.update(byte) }
    #expect(word == bytes)
    #expect(FNV1a.text(0xAB) == "00000000000000ab")
  }
}
