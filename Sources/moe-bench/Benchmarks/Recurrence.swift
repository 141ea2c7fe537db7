internal import MoECore
internal import MoEKernels

/// One layer's memories and convolution, for one token and for some of a prompt.
enum RecurrenceBenchmark {
  private struct Shape {
    var name: String
    var recurrence: RecurrenceShape
    var corrects: Bool
  }

  private static func shapes(_ context: BenchmarkContext) -> [Shape] {
    let (heads, groups) = (context.size(32, toy: 4), context.size(16, toy: 2))
    let dimension = context.size(128, toy: 20)
    return [
      Shape(
        name: "delta-rule",
        recurrence: RecurrenceShape(
          headCount: heads, keyHeadCount: groups, keyDimension: dimension,
          valueDimension: dimension),
        corrects: true),
      Shape(
        name: "state-space",
        recurrence: RecurrenceShape(
          headCount: 2 * heads, keyHeadCount: groups / 2, keyDimension: dimension,
          valueDimension: dimension / 2),
        corrects: false),
    ]
  }

  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    [1, context.size(64, toy: 5)].flatMap { rows in
      shapes(context).map { shape in
        Benchmark(name: "recurrence/\(shape.name)/\(rows)") {
          try recurrence(shape, rows: rows, context)
        }
      } + [
        Benchmark(name: "recurrence/convolution/\(rows)") {
          try convolution(rows: rows, context)
        }
      ]
    }
  }

  private static func recurrence(
    _ shape: Shape, rows: Int, _ context: BenchmarkContext
  ) throws -> Benchmark.Prepared {
    let recurrence = shape.recurrence
    let keys = try BenchmarkMemory.floats(rows, recurrence.keyWidth, seed: 1)
    let queries = try BenchmarkMemory.floats(rows, recurrence.keyWidth, seed: 2)
    let values = try BenchmarkMemory.floats(rows, recurrence.valueWidth, seed: 3)
    let factors = try BenchmarkMemory.floats(rows, recurrence.headCount)
    factors.view.fill(with: 0.5)
    let source = try BenchmarkMemory.floats(1, recurrence.stateCount, seed: 4)
    let target = try BenchmarkMemory.floats(1, recurrence.stateCount)
    let out = try BenchmarkMemory.floats(rows, recurrence.valueWidth)
    let rule = RecurrenceRule(
      keySharing: .grouped, corrects: shape.corrects,
      keyScale: 1 / Float(recurrence.keyDimension))
    let input = RecurrenceInput(
      queries: queries.rows, keys: keys.rows, values: values.rows, decays: factors.rows,
      factors: factors.rows)
    func run(_ team: WorkerTeam, into out: BenchmarkRows) {
      team.recur(
        input, recurrence, rule,
        segments: [
          StateSegment(source: source.view, target: target.view, rowCount: rows)
        ], into: out.rows)
    }
    return Benchmark.Prepared(
      byteCount: rows == 1 ? 4 * recurrence.stateCount : 0,
      operationCount: (shape.corrects ? 7 : 5) * rows * recurrence.stateCount,
      memory: [
        keys.memory, queries.memory, values.memory, factors.memory, source.memory,
        target.memory, out.memory,
      ],
      run: { run(context.team, into: out) },
      isRight: {
        let wanted = try BenchmarkMemory.floats(rows, recurrence.valueWidth)
        run(context.reference, into: wanted)
        return wanted.agrees(with: out.view, tolerance: 0)
      })
  }

  private static func convolution(
    rows: Int, _ context: BenchmarkContext
  ) throws -> Benchmark.Prepared {
    let shape = ConvolutionShape(channelCount: context.size(8192, toy: 50), tapCount: 4)
    let start = try BenchmarkMemory.floats(rows, shape.channelCount, seed: 1)
    let x = try BenchmarkMemory.floats(rows, shape.channelCount)
    let weight = try BenchmarkMemory.floats(shape.channelCount, shape.tapCount, seed: 2)
    let source = try BenchmarkMemory.floats(1, shape.stateCount, seed: 3)
    let target = try BenchmarkMemory.floats(1, shape.stateCount)
    func run(_ team: WorkerTeam, _ x: BenchmarkRows) {
      // In place, so that every run needs the rows anew; copying counts.
      x.view.copy(from: start.view)
      team.convolve(
        x.rows, shape, weight: weight.view, bias: nil,
        segments: [
          StateSegment(source: source.view, target: target.view, rowCount: rows)
        ])
    }
    return Benchmark.Prepared(
      operationCount: 2 * rows * shape.channelCount * shape.tapCount,
      memory: [start.memory, x.memory, weight.memory, source.memory, target.memory],
      run: { run(context.team, x) },
      isRight: {
        let wanted = try BenchmarkMemory.floats(rows, shape.channelCount)
        run(context.reference, wanted)
        return wanted.agrees(with: x.view, tolerance: 0)
      })
  }
}
