internal import MoECore
internal import MoEKernels

/// Attention for one token over a long past, and for the tokens of a prompt.
enum AttentionBenchmark {
  private struct Shape {
    var name: String
    var (headCount, kvHeadCount, headDimension): (Int, Int, Int)
    var type: KVType = .f16
    /// Elements of values that begin their keys; nil: values are kept for themselves, as wide as
    /// keys.
    var latentDimension: Int?

    var valueDimension: Int { latentDimension ?? headDimension }
  }

  private static let shapes = [
    Shape(name: "mha", headCount: 16, kvHeadCount: 16, headDimension: 128),
    Shape(name: "gqa4", headCount: 32, kvHeadCount: 8, headDimension: 128),
    Shape(name: "gqa8", headCount: 32, kvHeadCount: 4, headDimension: 128),
    Shape(name: "gqa8x64", headCount: 32, kvHeadCount: 4, headDimension: 64),
    Shape(name: "gqa4-f32", headCount: 32, kvHeadCount: 8, headDimension: 128, type: .f32),
    Shape(name: "gqa4-bf16", headCount: 32, kvHeadCount: 8, headDimension: 128, type: .bf16),
    Shape(name: "gqa4-q8_0", headCount: 32, kvHeadCount: 8, headDimension: 128, type: .q8_0),
    Shape(name: "gqa4-q4_0", headCount: 32, kvHeadCount: 8, headDimension: 128, type: .q4_0),
    Shape(
      name: "latent16", headCount: 16, kvHeadCount: 1, headDimension: 576, latentDimension: 512),
    Shape(
      name: "latent16-q8_0", headCount: 16, kvHeadCount: 1, headDimension: 576, type: .q8_0,
      latentDimension: 512),
  ]

  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    shapes.flatMap { shape in
      [
        decode(shape, depth: 4096, context), decode(shape, depth: 16384, context),
        Benchmark(name: "attention/prefill/\(shape.name)/512") {
          try prepare(shape, position: 0, tokens: context.size(512, toy: 9), context)
        },
        Benchmark(name: "attention/prefill/\(shape.name)/64-after-4096") {
          try prepare(
            shape, position: context.size(4096, toy: 70), tokens: context.size(64, toy: 9), context)
        },
      ]
    }
  }

  /// The token whose past, itself included, has so many positions.
  private static func decode(
    _ shape: Shape, depth: Int, _ context: BenchmarkContext
  ) -> Benchmark {
    Benchmark(name: "attention/decode/\(shape.name)/\(depth)") {
      try prepare(shape, position: context.size(depth - 1, toy: depth / 16), tokens: 1, context)
    }
  }

  private static func prepare(
    _ shape: Shape, position: Int, tokens: Int, _ context: BenchmarkContext
  ) throws -> Benchmark.Prepared {
    let capacity = position + tokens
    let width = shape.kvHeadCount * shape.headDimension
    let byteCount = KVView.byteCount(
      type: shape.type, capacity: capacity, headCount: shape.kvHeadCount,
      headDimension: shape.headDimension)
    let pageByteCount = shape.latentDimension == nil ? 2 * byteCount : byteCount
    let page = try BenchmarkMemory(byteCount: pageByteCount)
    let table = try BenchmarkMemory(byteCount: MemoryLayout<Int>.stride)
    let partials = try BenchmarkMemory.floats(
      1,
      KVView.partialCount(
        capacity: capacity, queryHeadCount: shape.headCount,
        valueHeadDimension: shape.valueDimension))
    let cache = view(shape, capacity: capacity, page: page.bytes, table: table.bytes)
    let past = try BenchmarkMemory.floats(capacity, width, seed: 1)
    context.team.appendKV(
      keys: past.rows, values: shape.latentDimension == nil ? past.rows : nil,
      to: [AttentionSegment(view: cache, position: 0, rowCount: capacity)])
    withExtendedLifetime(past.memory) {}
    let columns = shape.headCount * shape.headDimension
    let outColumns = shape.headCount * shape.valueDimension
    let q = try BenchmarkMemory.floats(tokens, columns, seed: 2)
    let out = try BenchmarkMemory.floats(tokens, outColumns)
    let scoring = AttentionScoring(scale: 1 / Float(shape.headDimension).squareRoot())
    let segments = [AttentionSegment(view: cache, position: position, rowCount: tokens)]
    let pairCount = tokens * position + tokens * (tokens + 1) / 2
    return Benchmark.Prepared(
      byteCount: tokens == 1 ? pageByteCount : 0,
      operationCount: 2 * pairCount * (columns + outColumns),
      memory: [page, table, q.memory, out.memory, partials.memory],
      // With more query heads per key head than 4, the products take longer than reading the cache.
      goal: tokens == 1 && shape.headCount / shape.kvHeadCount <= 4 ? 0.6 : nil,
      run: {
        context.team.attend(
          q.rows, headCount: shape.headCount, over: segments, scoring: scoring,
          partials: partials.view, into: out.rows)
      },
      isRight: {
        // The last token sees all positions, and its result must not depend on the others.
        let wanted = try BenchmarkMemory.floats(1, outColumns)
        context.reference.attend(
          q.rows.rows(tokens - 1, count: 1), headCount: shape.headCount,
          over: [AttentionSegment(view: cache, position: capacity - 1, rowCount: 1)],
          scoring: scoring, into: wanted.rows)
        return wanted.agrees(with: out.rows.row(tokens - 1), tolerance: 1e-5)
      })
  }

  /// All positions in one page, whose address goes into the table.
  private static func view(
    _ shape: Shape, capacity: Int, page: ByteView, table: ByteView
  ) -> KVView {
    unsafe table.pointer.storeBytes(of: page.pointer, as: UnsafeMutableRawPointer?.self)
    let addresses = unsafe table.pointer.bindMemory(
      to: UnsafeMutableRawPointer?.self, capacity: 1)
    return KVView(
      pages: unsafe PageTable(addresses, count: 1, pageByteCount: page.count), keyOffset: 0,
      valueOffset: shape.latentDimension == nil ? page.count / 2 : nil, type: shape.type,
      headCount: shape.kvHeadCount, keyHeadDimension: shape.headDimension,
      valueHeadDimension: shape.valueDimension,
      pagePositionCount: capacity, capacity: capacity)
  }
}
