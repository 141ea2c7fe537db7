import Foundation
import MoETestSupport
import Testing

@Suite struct PoliciesTests {
  /// Tokens that take two of eight experts in each of three layers, in turn.
  private static func archive() -> Data {
    let experts = (0..<300).flatMap { step in
      let first = Int16(step * 5 % 8)
      return [first, (first + 1 + Int16(step % 7)) % 8]
    }
    return Data(NumpyArchive.experts(experts, shape: [100, 3, 2]))
  }

  @Test func writesATableForEachTraceOfAFolder() async throws {
    let scratch = try Scratch()
    for name in ["b.npz", "a.npz"] { _ = try scratch.write(Self.archive(), to: name) }
    let output = try await Program.run(
      "policies", scratch.url("").path, "--pools", "1,2.5", "--only", "lru,learned")
    #expect(output.code == 0, "\(output.errors)")
    let lines = output.text.split(separator: "\n").map(String.init)
    #expect(lines.filter { $0.hasPrefix("### ") } == ["### a.npz", "### b.npz"])
    #expect(lines.count { $0.hasPrefix("| policy | 1 | 2.5 |") } == 2)
    for name in ["learned", "lru", "optimum, even shares", "optimum, one pool"] {
      #expect(lines.count { $0.hasPrefix("| \(name) | ") } == 2, "\(name)")
    }
    #expect(output.text.contains("100 tokens, 3 layers, 2 of 8 experts"))
  }
}
