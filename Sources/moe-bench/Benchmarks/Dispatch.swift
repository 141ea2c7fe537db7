internal import MoECache
internal import MoECore
internal import MoEKernels
internal import MoEModel

/// One layer of routed experts for a prompt's chunk, tokens handed to experts in two ways: in
/// groups of exactly as many as take each, as prefill does it, and in batches of a fixed capacity,
/// padded where fewer take an expert and cut where more do ("static gating" of "Towards MoE
/// Deployment", arXiv 2303.06182, section 4). Both compute with the same kernels; only the rows
/// differ.
enum DispatchBenchmark {
  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    let whole = benchmark("dispatch/exact", context) { $0 }
    // The factors of the paper's models; the last is the least that drops nothing here.
    let padded = [1.0, 2.0].map { factor in
      benchmark("dispatch/capacity-\(Int(factor))", context) { grouped in
        let even = Double(grouped.tokens.count) / Double(grouped.groups.count)
        return grouped.padded(to: Int((factor * even).rounded(.up)))
      }
    }
    let lossless = benchmark("dispatch/capacity-lossless", context) { grouped in
      grouped.padded(to: grouped.groups.map(\.count).max() ?? 1)
    }
    return [whole] + padded + [lossless]
  }

  /// The tokens of each expert, side by side, and their weights.
  struct Grouped {
    var tokens: [Int]
    var weights: [Float]
    /// (expert): where its tokens are.
    var groups: [Range<Int>]
    /// Tokens of which an expert was cut off.
    var droppedTokens: Set<Int> = []

    /// Batches of one size: missing rows are those of token 0 with the weight 0, surplus tokens are
    /// dropped, the first ones being kept.
    func padded(to capacity: Int) -> Grouped {
      var padded = Grouped(tokens: [], weights: [], groups: [])
      for group in groups {
        let kept = group.prefix(capacity)
        let paddingCount = capacity - kept.count
        let start = padded.tokens.count
        padded.tokens += tokens[kept] + Array(repeating: 0, count: paddingCount)
        padded.weights += weights[kept] + Array(repeating: 0, count: paddingCount)
        padded.groups.append(start..<start + capacity)
        padded.droppedTokens.formUnion(tokens[group.dropFirst(capacity)])
      }
      return padded
    }
  }

  private static func benchmark(
    _ name: String, _ context: BenchmarkContext, _ change: @escaping (Grouped) -> Grouped
  ) -> Benchmark {
    Benchmark(name: name) {
      let layer = try DispatchLayer(context)
      let exact = try layer.grouped()
      let grouped = change(exact)
      let plan = try DispatchPlan(grouped)
      let result = try layer.result()
      return Benchmark.Prepared(
        operationCount: 2 * layer.tokenCount * layer.expertsPerToken * layer.weightCount,
        memory: layer.memory + plan.memory + [result.memory],
        run: { layer.run(plan, context.team, into: result.rows) },
        isRight: {
          let wanted = try layer.result()
          let exactPlan = try DispatchPlan(exact)
          defer { withExtendedLifetime((wanted.memory, exactPlan.memory)) {} }
          layer.run(exactPlan, context.reference, into: wanted.rows)
          layer.run(plan, context.team, into: result.rows)
          return (0..<layer.tokenCount).allSatisfy { token in
            grouped.droppedTokens.contains(token)
              || agree(result.rows.row(token), wanted.rows.row(token), tolerance: 1e-4)
          }
        })
    }
  }
}

/// What the kernels read of a grouping.
private struct DispatchPlan {
  let groups: [Range<Int>]
  let tokens: IndexView
  let weights: FloatView
  let memory: [BenchmarkMemory]

  init(_ grouped: DispatchBenchmark.Grouped) throws {
    groups = grouped.groups
    let tokenMemory = try BenchmarkMemory(byteCount: 4 * grouped.tokens.count)
    tokens = unsafe IndexView(
      tokenMemory.bytes.pointer.assumingMemoryBound(to: UInt32.self), count: grouped.tokens.count)
    let weightRows = try BenchmarkMemory.floats(1, grouped.weights.count)
    weights = weightRows.view
    for index in grouped.tokens.indices {
      tokens[index] = UInt32(grouped.tokens[index])
      weights[index] = grouped.weights[index]
    }
    memory = [tokenMemory, weightRows.memory]
  }
}

/// Experts, a chunk of tokens, and room for what is computed.
private struct DispatchLayer {
  let tokenCount: Int
  let expertCount: Int
  let expertsPerToken: Int
  let hiddenSize: Int
  let width: Int
  let memory: [BenchmarkMemory]
  private let experts: [(gate: QuantizedMatrix, up: QuantizedMatrix, down: QuantizedMatrix)]
  private let input: ActivationRows
  private let gathered: BenchmarkMemory
  private let inner: BenchmarkMemory
  private let gate: FloatRows
  private let up: FloatRows
  private let down: FloatRows

  /// Weights of one expert.
  var weightCount: Int { 3 * hiddenSize * width }

  init(_ context: BenchmarkContext) throws {
    tokenCount = context.size(512, toy: 12)
    expertCount = context.size(64, toy: 8)
    expertsPerToken = context.size(6, toy: 2)
    hiddenSize = context.size(512, toy: 32)
    width = context.size(256, toy: 32)
    guard let format = QuantFormat.all.first(where: { $0.name == "F16" }) else {
      throw BenchmarkError(name: "dispatch", problem: "this build has no format F16")
    }
    let (hiddenSize, width) = (hiddenSize, width)
    let bytes = try BenchmarkMemory(byteCount: 2 * expertCount * 3 * hiddenSize * width)
    var generator = SeededGenerator(seed: 7)
    for index in 0..<expertCount * 3 * hiddenSize * width {
      let value = Float16((generator.nextUnit() * 2 - 1) / Double(hiddenSize).squareRoot())
      unsafe bytes.bytes.pointer.storeBytes(of: value, toByteOffset: 2 * index, as: Float16.self)
    }
    func matrix(_ number: Int, rows: Int, columns: Int) -> QuantizedMatrix {
      let size = 2 * hiddenSize * width
      return QuantizedMatrix(
        format: format, bytes: bytes.bytes.slice(number * size, count: size), rowCount: rows,
        columnCount: columns)
    }
    experts = (0..<expertCount).map { expert in
      (
        matrix(3 * expert, rows: width, columns: hiddenSize),
        matrix(3 * expert + 1, rows: width, columns: hiddenSize),
        matrix(3 * expert + 2, rows: hiddenSize, columns: width)
      )
    }
    let form = format.activation
    let hidden = try BenchmarkMemory.floats(tokenCount, hiddenSize, seed: 8)
    let activations = try BenchmarkMemory.activations(of: hidden.rows, form, context.team)
    input = activations.rows
    // Each token takes an expert at most once: no group has more rows.
    gathered = try BenchmarkMemory(
      byteCount: tokenCount * form.rowByteCount(columnCount: hiddenSize))
    inner = try BenchmarkMemory(byteCount: tokenCount * form.rowByteCount(columnCount: width))
    let gateRows = try BenchmarkMemory.floats(tokenCount, width)
    let upRows = try BenchmarkMemory.floats(tokenCount, width)
    let downRows = try BenchmarkMemory.floats(tokenCount, hiddenSize)
    (gate, up, down) = (gateRows.rows, upRows.rows, downRows.rows)
    memory = [
      bytes, hidden.memory, activations.memory, gathered, inner, gateRows.memory, upRows.memory,
      downRows.memory,
    ]
  }

  func result() throws -> BenchmarkRows { try BenchmarkMemory.floats(tokenCount, hiddenSize) }

  /// The engine's own grouping of a selection in which some experts are far more popular: the
  /// expert of number n is drawn with a weight of 1 / (n + 1), or one that a token has not got yet.
  func grouped() throws -> DispatchBenchmark.Grouped {
    let count = tokenCount * expertsPerToken
    let indices = try BenchmarkMemory(byteCount: 4 * count)
    let experts = unsafe IndexView(
      indices.bytes.pointer.assumingMemoryBound(to: UInt32.self), count: count)
    let weights = try BenchmarkMemory.floats(1, count)
    var generator = SeededGenerator(seed: 9)
    let shares = (0..<expertCount).map { 1 / Double($0 + 1) }
    for token in 0..<tokenCount {
      var taken: Set<Int> = []
      for rank in 0..<expertsPerToken {
        var left = shares
        for expert in taken { left[expert] = 0 }
        var point = generator.nextUnit() * left.reduce(0, +)
        var expert = left.firstIndex { $0 > 0 } ?? 0
        for (candidate, share) in left.enumerated() where share > 0 {
          expert = candidate
          point -= share
          if point < 0 { break }
        }
        taken.insert(expert)
        experts[token * expertsPerToken + rank] = UInt32(expert)
        weights.view[token * expertsPerToken + rank] = 1 / Float(expertsPerToken)
      }
    }
    let selection = Selection(
      tokenCount: tokenCount, expertsPerToken: expertsPerToken, experts: experts,
      weights: weights.view, expertStride: expertsPerToken, weightStride: expertsPerToken)
    let tokenMemory = try BenchmarkMemory(byteCount: 4 * count)
    let tokens = unsafe IndexView(
      tokenMemory.bytes.pointer.assumingMemoryBound(to: UInt32.self), count: count)
    let grouped = try BenchmarkMemory.floats(1, count)
    defer {
      withExtendedLifetime((indices, weights.memory, tokenMemory, grouped.memory)) {}
    }
    var grouping = ExpertGrouping(expertCountMax: expertCount)
    grouping.group(
      selection, expertCount: expertCount, tokens: tokens, weights: grouped.view)
    var groups = Array(repeating: 0..<0, count: expertCount)
    for (number, request) in grouping.requests.enumerated() {
      groups[request.expert] = grouping.starts[number]..<grouping.starts[number + 1]
    }
    return DispatchBenchmark.Grouped(
      tokens: tokens.array().map(Int.init), weights: grouped.view.array(), groups: groups)
  }

  /// result = sum of the tokens' experts, one expert after the other.
  func run(_ plan: DispatchPlan, _ team: WorkerTeam, into result: FloatRows) {
    result.storage.fill(with: 0)
    var products = ProductList(capacity: 2)
    for (expert, group) in zip(experts, plan.groups) where !group.isEmpty {
      let tokens = plan.tokens.slice(group.lowerBound, count: group.count)
      let rows = ActivationRows(
        gathered.bytes, rowCount: group.count, columnCount: hiddenSize, form: input.form)
      team.gather(input, rows: tokens, into: rows)
      let (gate, up) = (gate.rows(0, count: group.count), up.rows(0, count: group.count))
      products.removeAll()
      products.append(expert.gate, rows, into: gate)
      products.append(expert.up, rows, into: up)
      team.multiply(products)
      team.activate(.swiGLU, gate: gate, up: up)
      let innerRows = ActivationRows(
        inner.bytes, rowCount: group.count, columnCount: width, form: input.form)
      team.quantize(gate, into: innerRows)
      let down = down.rows(0, count: group.count)
      products.removeAll()
      products.append(expert.down, innerRows, into: down)
      team.multiply(products)
      team.scatterAdd(
        down, tokens: tokens, weights: plan.weights.slice(group.lowerBound, count: group.count),
        into: result)
    }
  }
}
