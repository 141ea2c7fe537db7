import Foundation
import MoEKernels
import Testing

/// The choice of level, which is made once in a process: hence one process per test.
@Suite struct QuantDispatchTests {
  @Test func forcesTheScalarLevel() async {
    await #expect(processExitsWith: .success) {
      unsafe setenv("MOE_ISA", "scalar", 1)
      #expect(InstructionSet.current == .scalar)
      for format in QuantFormat.all {
        let product = try ProductCase(
          format, rowCount: 3, tokenCount: 5, columnCount: format.blockElementCount * 9, seed: 17)
        #expect(try product.product(at: nil) == product.product(at: .scalar))
      }
    }
  }

  @Test func forcesAVX2() async throws {
    guard InstructionSet.avx2.isSupported else { try Test.cancel("no AVX2") }
    await #expect(processExitsWith: .success) {
      unsafe setenv("MOE_ISA", "avx2", 1)
      #expect(InstructionSet.current == .avx2)
    }
  }

  @Test func takesTheNextLevelBelowOneThatIsMissing() async {
    await #expect(processExitsWith: .success) {
      unsafe setenv("MOE_ISA", "avx512", 1)
      let best = [InstructionSet.scalar, .avx2, .avx512].last { level in
        QuantFormat.all.contains { $0.hasProduct(at: level) }
      }
      #expect(InstructionSet.current == best)
    }
  }

  @Test(arguments: ["", "AVX2", "sse", "neon512"])
  func takesTheBestLevelWhereItDoesNotKnowTheValue(_ value: String) async {
    await #expect(processExitsWith: .success) { [value = value as String] in
      unsafe setenv("MOE_ISA", value, 1)
      let best = InstructionSet.allCases.last { level in
        QuantFormat.all.contains { $0.hasProduct(at: level) }
      }
      #expect(InstructionSet.current == best)
    }
  }

  @Test func hasAScalarProductForEveryFormat() {
    for format in QuantFormat.all { #expect(format.hasProduct(at: .scalar), "\(format.name)") }
  }
}
