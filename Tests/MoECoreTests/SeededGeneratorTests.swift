import MoECore
import Testing

@Suite struct SeededGeneratorTests {
  /// The outputs of the published algorithm (SplitMix64) for the seeds 0 and 1234567.
  @Test(
    arguments: [
      (
        0,
        [
          0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F,
          0xF88B_B8A8_724C_81EC, 0x1B39_896A_51A8_749B,
        ]
      ),
      (
        1_234_567,
        [
          6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
          4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
        ]
      ),
    ] as [(UInt64, [UInt64])])
  func givesThePublishedNumbers(seed: UInt64, expected: [UInt64]) {
    var generator = SeededGenerator(seed: seed)
    #expect(expected.map { _ in generator.next() } == expected)
  }

  @Test func unitsAreUniform() {
    var generator = SeededGenerator(seed: 9)
    var counts = Array(repeating: 0, count: 10)
    for _ in 0..<100_000 {
      let unit = generator.nextUnit()
      #expect(unit >= 0 && unit < 1)
      counts[Int(unit * 10)] += 1
    }
    // Ten thousand each, with a standard deviation of 95.
    #expect(counts.allSatisfy { (9600...10_400).contains($0) }, "\(counts)")
  }

  @Test func gaussiansHaveTheRightMoments() {
    var generator = SeededGenerator(seed: 10)
    let count = 100_000
    let values = (0..<count).map { _ in generator.nextGaussian() }
    func moment(_ power: Int) -> Double {
      values.reduce(0) { sum, value in
        sum + (0..<power).reduce(1.0) { product, _ in product * value }
      } / Double(count)
    }
    // The bounds are five standard deviations of each estimate.
    #expect(abs(moment(1)) < 0.016)
    #expect(abs(moment(2) - 1) < 0.023)
    #expect(abs(moment(3)) < 0.062)
    #expect(abs(moment(4) - 3) < 0.16)
  }
}
