private import Foundation

/// How long fuzz tests run, and under which seeds.
///
/// `MOE_FUZZ_ITERATIONS` sets how many iterations each of them has in place of its own number, and
/// `MOE_FUZZ_SEED` the first seed, by default 0. A failure names its seed: with that one and one
/// iteration it is run again. `make fuzz` draws a first seed; a gate's are fixed.
package enum Fuzz {
  package static func iterationCount(_ usual: Int) -> Int {
    variable("MOE_FUZZ_ITERATIONS").map { Int(clamping: $0) } ?? usual
  }

  package static var firstSeed: UInt64 { variable("MOE_FUZZ_SEED") ?? 0 }

  /// The seeds of as many runs as have so many iterations together; at least one.
  package static func seeds(_ usual: Int, iterationsPerRun: Int = 1) -> [UInt64] {
    let runCount = max(iterationCount(usual) / iterationsPerRun, 1)
    return (0..<UInt64(runCount)).map { firstSeed &+ $0 }
  }

  private static func variable(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
  }
}
