import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// What no operation may depend on: how many workers share it, and whether it was shared at all.
@Suite struct OperationTeamTests {
  /// An operation on random floats, large enough that it is handed to the team.
  struct Operation: CustomTestStringConvertible, Sendable {
    let name: String
    /// Changes x, 64 rows of 1024, reading y, as large.
    let run: @Sendable (WorkerTeam, Floats, Floats) throws -> Void
    var testDescription: String { name }
  }

  static let operations = [
    Operation(name: "rmsNorm") { team, x, y in
      team.rmsNorm(
        x.rows(64, 1024), weight: y.view.slice(0, count: 1024), epsilon: 1e-5,
        into: x.rows(64, 1024))
    },
    Operation(name: "rmsNormHeads") { team, x, y in
      let rows = x.rows(64, 1000, stride: 1024)
      team.rmsNormHeads(
        rows, headCount: 10, headDimension: 100, weight: y.view.slice(0, count: 100),
        epsilon: 1e-5, into: rows)
    },
    Operation(name: "layerNorm") { team, x, y in
      team.layerNorm(
        x.rows(64, 1024), weight: y.view.slice(0, count: 1024),
        bias: y.view.slice(7, count: 1024), epsilon: 1e-5, into: x.rows(64, 1024))
    },
    Operation(name: "scale") { team, x, y in
      team.scale(
        x.rows(64, 1001, stride: 1024), by: 1.5, factors: y.view.slice(0, count: 64), softCap: 2)
    },
    Operation(name: "activate") { team, x, y in
      team.activate(
        .swiGLU, gate: x.rows(64, 1001, stride: 1024), up: y.rows(64, 1001, stride: 1002))
    },
    Operation(name: "add") { team, x, y in team.add(y.view, to: x.view) },
    Operation(name: "addBias") { team, x, y in
      team.addBias(y.view.slice(3, count: 1023), to: x.rows(64, 1023, stride: 1024))
    },
    Operation(name: "addGated") { team, x, y in
      team.addGated(y.rows(64, 1024), gates: y.rows(64, 1), to: x.rows(64, 1024))
    },
    Operation(name: "rotate") { team, x, y in
      team.rotate(
        x.rows(64, 1024), headCount: 16, headDimension: 64, cosines: y.rows(64, 32),
        sines: y.rows(64, 32), pairing: .interleaved)
    },
    Operation(name: "scatterAdd") { team, x, y in
      let tokens = Indices((0..<64).map { $0 * $0 % 7 })
      team.scatterAdd(
        y.rows(64, 1023, stride: 1024), tokens: tokens.view,
        weights: y.view.slice(5, count: 64), into: x.rows(64, 1023, stride: 1024))
      withExtendedLifetime(tokens) {}
    },
    Operation(name: "appendKV") { team, x, y in
      unsafe withUnsafePointer(to: Optional(UnsafeMutableRawPointer(x.view.pointer))) { address in
        let cache = KVView(
          pages: unsafe PageTable(address, count: 1, pageByteCount: 4 * x.count), keyOffset: 0,
          valueOffset: 4 * 32 * 1024, type: .f32, headCount: 8, keyHeadDimension: 128,
          valueHeadDimension: 128, pagePositionCount: 32, capacity: 32)
        team.appendKV(
          keys: y.rows(64, 1024).rows(0, count: 30), values: y.rows(64, 1024).rows(30, count: 30),
          to: [AttentionSegment(view: cache, position: 1, rowCount: 30)])
      }
    },
  ]

  @Test(arguments: operations, Levels.all)
  func workerCountChangesNoBit(_ operation: Operation, _ level: InstructionSet) throws {
    var generator = SeededGenerator(seed: 21)
    let values = (0..<64 * 1024).map { _ in Float(generator.nextGaussian()) }
    let y = Floats(count: 64 * 1024, random: &generator)
    var results: Set<[UInt32]> = []
    for workers in 1...8 {
      let x = Floats(values)
      try operation.run(try Levels.team(level, workers: workers), x, y)
      results.insert(x.bits)
      #expect(x.guardsAreIntact)
    }
    #expect(results.count == 1)
    #expect(!results.contains(values.map(\.bitPattern)))
  }
}
