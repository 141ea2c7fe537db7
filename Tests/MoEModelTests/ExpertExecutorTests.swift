import Foundation
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
import MoETestSupport
import Testing

/// Weighted sums of routed experts: what a plain loop gives, and for each row the bits that it has
/// alone, wherever the weights come from.
@Suite struct ExpertExecutorTests {
  /// One row's input and the experts that it takes, best first.
  private struct Row {
    var input: [Float]
    var choices: [(expert: Int, weight: Float)]
  }

  /// A layer's experts, a place to compute in, and a source of weights.
  private final class Bench {
    private let team: WorkerTeam
    private let source: any ExpertSource
    private let executor: LocalExpertExecutor
    private let layer: ExpertLayer
    private let number: Int
    private let memory: AlignedBuffer
    private let forms: [ActivationForm: ByteView]
    private let output: FloatView
    private let indices: IndexView
    private let weights: FloatView
    private let floats: FloatView
    private var grouping: ExpertGrouping
    static let rowCountMax = 40
    private let hidden: Int

    init(_ layout: ExpertLayout, layer number: Int, source: any ExpertSource) throws {
      team = try WorkerTeam(workerCount: 2)
      self.source = source
      self.number = number
      layer = layout.layers[number]
      let matrices = layer.matrices
      let width = matrices.first { $0.role == .down }?.columnCount ?? 0
      hidden = matrices.first { $0.role == .down }?.rowCount ?? 0
      let count = Self.rowCountMax * max(4, layer.expertsPerToken)
      memory = try AlignedBuffer(byteCount: 64 * count * (hidden + width + 64))
      var end = 0
      let all = memory.bytes(count: memory.byteCount)
      func bytes(_ size: Int) -> ByteView {
        defer { end += (size + 63) / 64 * 64 }
        return all.slice(end, count: size)
      }
      func floats(_ columns: Int) -> FloatView {
        let size = count * ((columns + 15) / 16 * 16)
        let view = bytes(4 * size)
        return unsafe FloatView(
          view.pointer.assumingMemoryBound(to: Float.self), count: size)
      }
      let used = Set(matrices.map { $0.format.activation })
      func rooms(_ columns: Int) -> [ActivationForm: ByteView] {
        Dictionary(
          uniqueKeysWithValues: used.map {
            ($0, bytes(count * $0.rowByteCount(columnCount: columns)))
          })
      }
      forms = rooms(hidden)
      let scratch = ExpertScratch(
        rowCount: count, gatheredRowCount: 16, gate: floats(width), up: floats(width),
        down: floats(hidden), gathered: rooms(hidden), inner: rooms(width))
      executor = LocalExpertExecutor(source, team: team, scratch: scratch)
      output = floats(hidden)
      self.floats = floats(hidden)
      weights = floats(2)
      let view = bytes(8 * count)
      indices = unsafe IndexView(
        view.pointer.assumingMemoryBound(to: UInt32.self), count: 2 * count)
      grouping = ExpertGrouping(expertCountMax: layer.expertCount)
    }

    /// Bits of what the step adds to rows of zeros, (row, column).
    func run(
      _ rows: [Row], _ activation: Activation, _ placement: WeightPlacement = .output
    ) throws -> [[UInt32]] {
      let perRow = layer.expertsPerToken
      let count = rows.count
      let choiceCount = count * perRow
      for (row, wanted) in rows.enumerated() {
        for rank in 0..<perRow {
          let isThere = rank < wanted.choices.count
          indices[row * perRow + rank] = isThere ? UInt32(wanted.choices[rank].expert) : .max
          weights[row * perRow + rank] = isThere ? wanted.choices[rank].weight : 0
        }
      }
      let selection = Selection(
        tokenCount: count, expertsPerToken: perRow,
        experts: indices.slice(0, count: choiceCount),
        weights: weights.slice(0, count: choiceCount), expertStride: perRow, weightStride: perRow)
      let tokens = indices.slice(choiceCount, count: choiceCount)
      let grouped = weights.slice(choiceCount, count: choiceCount)
      grouping.group(
        selection, expertCount: layer.expertCount, tokens: tokens, weights: grouped)
      let stride = (hidden + 15) / 16 * 16
      func view(_ view: FloatView) -> FloatRows {
        FloatRows(view, rowCount: count, columnCount: hidden, stride: stride)
      }
      for (row, wanted) in rows.enumerated() {
        for column in 0..<hidden { view(floats).row(row)[column] = wanted.input[column] }
      }
      view(output).storage.fill(with: 0)
      let input = ExpertInput(forms: forms, columnCount: hidden)
      for form in forms.keys {
        team.quantize(view(floats), into: input.rows(form, count: count))
      }
      source.beginStep(StepRows(SequenceID(rawValue: 0), rowCount: count, phase: .prefill))
      let work = ExpertWork(
        layer: number, requests: grouping.requests, starts: grouping.starts, rows: tokens,
        weights: grouped, weightPlacement: placement, selection: selection, input: input,
        activation: activation, output: view(output))
      try executor.begin(work)
      try executor.run(work)
      return (0..<count).map { view(output).row($0).array().map(\.bitPattern) }
    }
  }

  private func rows(_ layer: ExpertLayer, count: Int, seed: UInt64) -> [Row] {
    var random = SeededGenerator(seed: seed)
    let hidden = layer.matrices.first { $0.role == .down }?.rowCount ?? 0
    return (0..<count).map { _ in
      let taken = Int.random(in: 1...layer.expertsPerToken, using: &random)
      return Row(
        input: (0..<hidden).map { _ in Float(random.nextUnit() * 2 - 1) },
        choices: (0..<layer.expertCount).shuffled(using: &random).prefix(taken).map {
          ($0, Float(random.nextUnit()))
        })
    }
  }

  /// The definition, in double precision.
  private func naive(
    _ row: Row, _ experts: [ExpertBytes], hidden: Int, width: Int, isGated: Bool,
    _ placement: WeightPlacement
  ) -> [Double] {
    func floats(_ bytes: [UInt8]) -> [Double] {
      unsafe bytes.withUnsafeBytes { bytes in
        (0..<bytes.count / 4).map {
          Double(unsafe bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self))
        }
      }
    }
    func product(_ matrix: [UInt8], _ x: [Double], bias: [UInt8]?) -> [Double] {
      let weights = floats(matrix)
      let rowCount = weights.count / x.count
      var y = bias.map(floats) ?? Array(repeating: 0.0, count: rowCount)
      for row in 0..<rowCount {
        for column in x.indices { y[row] += weights[row * x.count + column] * x[column] }
      }
      return y
    }
    var sum = Array(repeating: 0.0, count: hidden)
    for choice in row.choices {
      let expert = experts[choice.expert]
      let weight = Double(choice.weight)
      let x = row.input.map { placement == .input ? weight * Double($0) : Double($0) }
      var inner = product(expert.up, x, bias: expert.upBias)
      if isGated, let matrix = expert.gate {
        let gate = product(matrix, x, bias: expert.gateBias)
        for index in inner.indices { inner[index] *= gate[index] / (1 + exp(-gate[index])) }
      } else {
        for index in inner.indices { inner[index] = max(inner[index], 0) }
      }
      let down = product(expert.down, inner, bias: expert.downBias)
      for column in 0..<hidden {
        sum[column] += placement == .input ? down[column] : weight * down[column]
      }
    }
    return sum
  }

  @Test(arguments: [ExpertForm.stacked, .fused, .biased, .fusedAndBiased, .gateless], [1, 3, 40])
  func theSumIsThatOfAPlainLoop(_ form: ExpertForm, _ count: Int) throws {
    for placement in [WeightPlacement.output, .input] {
      try expectPlainLoop(form, count, placement)
    }
  }

  private func expectPlainLoop(
    _ form: ExpertForm, _ count: Int, _ placement: WeightPlacement
  ) throws {
    let placed = PlacedExperts(seed: 5, forms: [form], formatName: "F32")
    let layer = placed.layers[0]
    let down = try #require(layer.matrices.first { $0.role == .down })
    let bench = try Bench(
      placed.layout, layer: 0, source: try Self.resident(placed))
    let rows = rows(layer, count: count, seed: UInt64(count))
    let isGated = form != .gateless
    let found = try bench.run(rows, isGated ? .swiGLU : .relu, placement)
    for (row, bits) in zip(rows, found) {
      let expected = naive(
        row, placed.expected[0], hidden: down.rowCount, width: down.columnCount,
        isGated: isGated, placement)
      let size = expected.map(abs).max() ?? 0
      for (value, bits) in zip(expected, bits) {
        #expect(abs(value - Double(Float(bitPattern: bits))) <= 1e-5 * size + 1e-6)
      }
    }
  }

  /// Alone, with any company, from memory and from a pool at its floor.
  @Test(arguments: ["F32", "Q8_0"], [ExpertForm.stacked, .fusedAndBiased, .gateless, .single])
  func aRowsBitsAreThoseThatItHasAlone(_ formatName: String, _ form: ExpertForm) throws {
    for placement in [WeightPlacement.output, .input] {
      try expectOwnBits(formatName, form, placement)
    }
  }

  private func expectOwnBits(
    _ formatName: String, _ form: ExpertForm, _ placement: WeightPlacement
  ) throws {
    let placed = PlacedExperts(seed: 8, forms: [.dense, form], formatName: formatName)
    let activation: Activation = form == .gateless ? .relu : .swiGLU
    let rows = rows(placed.layers[1], count: 40, seed: 21)
    let alone = try Bench(placed.layout, layer: 1, source: try Self.resident(placed))
    let expected = try rows.map { try alone.run([$0], activation, placement)[0] }
    for source in [try Self.resident(placed), try Self.offloaded(placed)] as [any ExpertSource] {
      let bench = try Bench(placed.layout, layer: 1, source: source)
      var start = 0
      for count in [1, 2, 5, 12, 20] {
        let part = Array(rows[start..<start + count])
        #expect(
          try bench.run(part, activation, placement) == Array(expected[start..<start + count]),
          "\(count)")
        start += count
      }
      #expect(try bench.run(rows, activation, placement) == expected)
    }
  }

  private static func reader(_ placed: PlacedExperts) throws -> ExtentReader {
    var faults = SimulatedBackend.Faults()
    (faults.shortRead, faults.delayStepsMax) = (0.1, 9)
    return try ExtentReader(
      backend: SimulatedBackend(contents: placed.contents, seed: 4, faults: faults),
      files: placed.files)
  }

  private static func resident(_ placed: PlacedExperts) throws -> ResidentExperts {
    try ResidentExperts(
      placed.layout, reader: try reader(placed), team: try WorkerTeam(workerCount: 1))
  }

  private static func offloaded(_ placed: PlacedExperts) throws -> OffloadedExperts {
    try OffloadedExperts(
      placed.layout, reader: try reader(placed), team: try WorkerTeam(workerCount: 1),
      poolByteCount: PoolLayout(placed.layout).floorByteCount)
  }
}
