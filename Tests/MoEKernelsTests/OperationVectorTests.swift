import MoECore
import MoEKernels
import MoETestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

@Suite struct OperationVectorTests {
  private func logSumExpOracle(_ x: [Float]) -> Double {
    let largest = Double(x.max()!)
    return log(x.map { exp(Double($0) - largest) }.reduce(0, +)) + largest
  }

  @Test(arguments: Levels.all, columnCounts)
  func softmaxAndLogSumExpEqualTheirDefinitions(_ level: InstructionSet, _ count: Int) throws {
    var generator = SeededGenerator(seed: UInt64(count))
    for spread in [0.1, 1, 10, 40] {
      let values = (0..<count).map { _ in Float(generator.nextGaussian() * spread) }
      let x = Floats(values, offset: 1)
      let wanted = logSumExpOracle(values)
      #expect(abs(VectorMath.logSumExp(x.view, level) - wanted) < 5e-7 * max(1, abs(wanted)))
      let total = VectorMath.softmax(x.view, level)
      #expect(abs(Double(total) - wanted) < 5e-7 * max(1, abs(wanted)))
      for (found, value) in zip(x.array, values) {
        let share = exp(Double(value) - wanted)
        // The difference from the largest value is rounded to a float before it is raised.
        let tolerance = share * (2e-7 + 1e-7 * abs(Double(value) - wanted)) + 1e-37
        #expect(abs(Double(found) - share) <= tolerance)
      }
      #expect(abs(x.array.map(Double.init).reduce(0, +) - 1) < 1e-6)
      #expect(x.guardsAreIntact)
    }
  }

  @Test(arguments: columnCounts)
  func sigmoidEqualsItsDefinitionWithTheSameBitsAtEveryLevel(_ count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    let values = (0..<count).map { _ in Float(generator.nextGaussian() * 30) }
    var results: Set<[UInt32]> = []
    for level in Levels.all {
      let x = Floats(values, offset: 1)
      VectorMath.sigmoid(x.view, level)
      for (found, value) in zip(x.array, values) {
        let wanted = 1 / (1 + exp(-Double(value)))
        // Where exp(-x) overflows a float the result is 0 instead of less than 1e-38.
        #expect(abs(Double(found) - wanted) <= wanted * 2.5e-7 + 1e-38)
      }
      #expect(x.guardsAreIntact)
      results.insert(x.bits)
    }
    #expect(results.count == 1)
  }

  @Test(arguments: Levels.all) func sigmoidKeepsItsLimits(_ level: InstructionSet) {
    let x = Floats([.infinity, -.infinity, .nan, 0, 200, -200, 1, 1, 1])
    VectorMath.sigmoid(x.view, level)
    #expect(x.array[0] == 1 && x.array[1] == 0 && x.array[2].isNaN && x.array[3] == 0.5)
    #expect(x.array[4] == 1 && x.array[5] == 0)
  }

  @Test(arguments: Levels.all)
  func softmaxTakesAwayWhatIsForbidden(_ level: InstructionSet) {
    let x = Floats([-.infinity, 3, -.infinity, 3, -200])
    VectorMath.softmax(x.view, level)
    #expect(x.array == [0, 0.5, 0, 0.5, 0])
  }

  @Test(arguments: Levels.all)
  func softmaxOfLargeValuesDoesNotOverflow(_ level: InstructionSet) {
    let x = Floats(count: 11) { _ in 3e38 }
    #expect(VectorMath.softmax(x.view, level) == 3e38)
    #expect(x.array.allSatisfy { abs($0 - 1 / 11) < 1e-8 })
  }

  @Test(arguments: Levels.all, columnCounts)
  func argmaxIsTheFirstOfTheLargest(_ level: InstructionSet, _ count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    for _ in 0..<10 {
      // Few distinct values, so that equals are common; some are not numbers.
      let values = (0..<count).map { _ in
        let draw = generator.next(upperBound: 8 as UInt64)
        return draw == 0 ? Float.nan : draw == 1 ? -Float.infinity : Float(draw)
      }
      let numbers = values.filter { !$0.isNaN }
      let wanted = numbers.max().flatMap { largest in values.firstIndex { $0 == largest } } ?? 0
      let x = Floats(values, offset: 1)
      #expect(VectorMath.argmax(x.view, level) == wanted)
      #expect(x.guardsAreIntact)
    }
  }

  @Test(arguments: Levels.all) func argmaxOfNoNumberIsTheFirst(_ level: InstructionSet) {
    let none = Floats(count: 19) { _ in .nan }
    let least = Floats(count: 19) { $0 < 10 ? .nan : -.infinity }
    #expect(VectorMath.argmax(none.view, level) == 0)
    #expect(VectorMath.argmax(least.view, level) == 10)
    withExtendedLifetime((none, least)) {}
  }

  @Test func emptyVectorsAreMisuse() async {
    await #expect(processExitsWith: .failure) { VectorMath.softmax(Floats(count: 0).view) }
    await #expect(processExitsWith: .failure) { _ = VectorMath.argmax(Floats(count: 0).view) }
  }
}
