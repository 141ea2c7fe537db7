import MoECore
import Testing

@Suite struct ByteSizeTests {
  private static let sizes: [(String, Int)] = [
    ("0", 0), ("1", 1), ("4096", 4096), ("64K", 65_536), ("64k", 65_536), ("512M", 536_870_912),
    ("8G", 8_589_934_592), ("2T", 2_199_023_255_552), ("8GB", 8_589_934_592),
    ("8GiB", 8_589_934_592), ("8gib", 8_589_934_592), ("1.5G", 1_610_612_736),
    (" 7M ", 7_340_032), ("10B", 10), ("0.5K", 512), ("1e3", 1000),
  ]

  @Test(arguments: sizes)
  func readsSizesAsPeopleWriteThem(text: String, byteCount: Int) {
    #expect(ByteSize(parsing: text)?.byteCount == byteCount)
  }

  @Test(arguments: [
    "", " ", "G", "iB", "B", "-1", "-1G", "5iB", "1X", "1GG", "1.2.3", "nan", "inf", "1e300",
    "4194304T", "8 G", "0x", "40%", "１G",
  ])
  func refusesWhatIsNoSize(_ text: String) {
    #expect(ByteSize(parsing: text) == nil)
  }

  private static let texts: [(Int, String)] = [
    (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (5_242_880, "5.0 MiB"),
    (1_610_612_736, "1.5 GiB"), (2_199_023_255_552, "2.0 TiB"), (-2048, "-2.0 KiB"),
  ]

  @Test(arguments: texts)
  func printsSizesInTheLargestUnit(byteCount: Int, text: String) {
    #expect("\(ByteSize(byteCount))" == text)
  }

  @Test func comparesByBytes() {
    #expect(ByteSize(1) < ByteSize(2))
    #expect(ByteSize(1 << 40) > ByteSize(1 << 30))
  }

  @Test(arguments: [
    ("40%", 400), ("100%", 1000), ("0.5%", 5), ("250%", 2500), ("512", 512), ("1K", 1024),
  ])
  func specificationsAreBytesOrShares(text: String, byteCount: Int) throws {
    #expect(try SizeSpecification(parsing: text).byteCount(of: 1000) == byteCount)
  }

  @Test(arguments: ["0", "0%", "-5%", "%", "nan%", "inf%", "1e9%", "G", ""])
  func refusesWhatIsNoSpecification(_ text: String) {
    let error = #expect(throws: SizeError.self) { try SizeSpecification(parsing: text) }
    #expect(error?.found == text)
  }

  /// A limit is optional: were a typo nil, it would be no limit at all.
  @Test func aTypoIsNamedAndSaysWhatIsWanted() {
    let error = #expect(throws: SizeError.self) { try SizeSpecification(parsing: "8 Gb\u{1b}") }
    #expect(
      error?.description == "\("8 Gb\u{1b}".quotedForMessage) is no size; give a size such as "
        + "8G or 512M, or a share such as 40%")
  }

  @Test func aShareOfVeryMuchDoesNotOverflow() {
    #expect(SizeSpecification.fraction(1e4).byteCount(of: .max) == 1 << 62)
  }

  @Test func specificationsPrintAsTheyAreRead() {
    #expect("\(SizeSpecification.fraction(0.4))" == "40.0%")
    #expect("\(SizeSpecification.bytes(8 << 30))" == "8.0 GiB")
  }
}
