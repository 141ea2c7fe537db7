internal import MoECore
internal import MoEKernels

/// The small operations between products, for one token and for a prompt's chunk.
enum OperationBenchmark {
  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    let columns = context.size(4096, toy: 96)
    let perRow = [1, context.size(512, toy: 5)].flatMap { rows in
      [
        // The weights are not those that another thread writes at the same time.
        elementwise("rms-norm", rows, columns, context, restores: true) { team, x, y in
          team.rmsNorm(x, weight: y.row(0), epsilon: 1e-6, into: x)
        },
        elementwise("swiglu", rows, columns, context, restores: true) {
          $0.activate(.swiGLU, gate: $1, up: $2)
        },
        elementwise("geglu", rows, columns, context, restores: true) {
          $0.activate(.geGLU, gate: $1, up: $2)
        },
        elementwise("add", rows, columns, context) { $0.add($2.storage, to: $1.storage) },
        elementwise("rope", rows, columns, context) { team, x, y in
          let angles = FloatRows(y.storage, rowCount: x.rowCount, columnCount: 16)
          team.rotate(
            x, headCount: x.columnCount / 32, headDimension: 32, cosines: angles, sines: angles,
            pairing: .neox)
        },
      ]
    }
    let quantize = [ActivationForm.q8_0, .q8_K].map { form in
      self.quantize(form, context.size(512, toy: 3), context.size(4096, toy: 512), context)
    }
    return perRow + quantize + vectors(context)
  }

  /// An operation that changes x in place and reads y, held against the reference. With `restores`,
  /// x is copied anew for each run, which counts: weighting the weighted or gating the gated again
  /// and again would end at subnormal numbers, which processors take hundreds of times as long for.
  private static func elementwise(
    _ name: String, _ rows: Int, _ columns: Int, _ context: BenchmarkContext,
    restores: Bool = false, _ operation: @escaping (WorkerTeam, FloatRows, FloatRows) -> Void
  ) -> Benchmark {
    Benchmark(name: "operation/\(name)/\(rows)") {
      let x = try BenchmarkMemory.floats(rows, columns)
      let start = try BenchmarkMemory.floats(rows, columns, seed: 3)
      let y = try BenchmarkMemory.floats(rows, columns, seed: 4)
      return Benchmark.Prepared(
        operationCount: rows * columns, memory: [x.memory, start.memory, y.memory],
        run: {
          if restores { x.view.copy(from: start.view) }
          operation(context.team, x.rows, y.rows)
        },
        isRight: {
          x.view.copy(from: start.view)
          operation(context.team, x.rows, y.rows)
          let wanted = try BenchmarkMemory.floats(rows, columns)
          wanted.view.copy(from: start.view)
          operation(context.reference, wanted.rows, y.rows)
          return wanted.agrees(with: x.view, tolerance: 1e-5)
        })
    }
  }

  private static func quantize(
    _ form: ActivationForm, _ rows: Int, _ columns: Int, _ context: BenchmarkContext
  ) -> Benchmark {
    Benchmark(name: "operation/quantize-\(form)/\(rows)") {
      let x = try BenchmarkMemory.floats(rows, columns, seed: 5)
      let out = try BenchmarkMemory.activations(of: x.rows, form, context.team)
      return Benchmark.Prepared(
        operationCount: rows * columns, memory: [x.memory, out.memory],
        run: { context.team.quantize(x.rows, into: out.rows) },
        isRight: {
          let size = form.rowByteCount(columnCount: columns)
          let wanted = try BenchmarkMemory(byteCount: size)
          form.quantize(x.rows.row(rows - 1), into: wanted.bytes, at: .scalar)
          return wanted.array == out.memory.array.suffix(size)
        })
    }
  }

  /// Reductions over a vocabulary's logits.
  private static func vectors(_ context: BenchmarkContext) -> [Benchmark] {
    let count = context.size(151_936, toy: 1000)
    func vector(
      _ name: String, _ reduce: @escaping (FloatView, InstructionSet?) -> Double
    ) -> Benchmark {
      Benchmark(name: "vector/\(name)/\(count)") {
        let x = try BenchmarkMemory.floats(1, count, seed: 6)
        var found = 0.0
        return Benchmark.Prepared(
          operationCount: count, memory: [x.memory], run: { found = reduce(x.view, nil) },
          isRight: {
            let fresh = try BenchmarkMemory.floats(1, count, seed: 6)
            x.view.copy(from: fresh.view)
            found = reduce(x.view, nil)
            let wanted = reduce(fresh.view, .scalar)
            withExtendedLifetime(fresh.memory) {}
            return abs(found - wanted) <= 1e-5 * max(1, abs(found))
          })
      }
    }
    return [
      vector("softmax") { Double(VectorMath.softmax($0, $1)) },
      vector("log-sum-exp") { VectorMath.logSumExp($0, $1) },
      vector("argmax") { Double(VectorMath.argmax($0, $1)) },
    ]
  }
}
