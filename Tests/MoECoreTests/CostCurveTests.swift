import MoECore
import Testing

@Suite struct CostCurveTests {
  private let curve = CostCurve([
    CostCurve.Point(tokenCount: 4, seconds: 3), CostCurve.Point(tokenCount: 1, seconds: 2),
  ])

  @Test(arguments: [(0.0, 0.0), (0.5, 2), (1, 2), (2.5, 2.5), (4, 3), (8, 6), (400, 300)])
  func goesThroughItsPoints(_ tokenCount: Double, _ seconds: Double) {
    #expect(curve.seconds(tokenCount) == seconds)
  }

  @Test func sumsAreExactAtThePointsOfBoth() {
    let other = CostCurve([CostCurve.Point(tokenCount: 2, seconds: 10)])
    let sum = curve + other
    for count in [1.0, 2, 4] {
      #expect(sum.seconds(count) == curve.seconds(count) + other.seconds(count))
    }
    #expect((curve + .zero) == curve)
    #expect(curve.scaled(by: 3).seconds(2.5) == 7.5)
  }

  @Test func aDifferenceBelowZeroCostsNothing() {
    let curve = CostCurve([
      CostCurve.Point(tokenCount: 1, seconds: -2e-6),
      CostCurve.Point(tokenCount: 16, seconds: 3e-6),
      CostCurve.Point(tokenCount: 64, seconds: -1e-6),
    ])
    for count in stride(from: 0.0, through: 200, by: 0.5) {
      #expect(curve.notNegative.seconds(count) >= 0)
    }
    #expect(curve.notNegative.seconds(16) == 3e-6)
    #expect(curve.notNegative.seconds(200) == 0)
  }
}
