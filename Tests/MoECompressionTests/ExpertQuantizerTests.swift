import MoECompression
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

/// Whole experts: what down reads, and which rows each matrix is calibrated with.
@Suite struct ExpertQuantizerTests {
  private static let (hiddenSize, width) = (64, 32)

  private static func part(
    _ role: ExpertPartRole, _ rowCount: Int, _ columnCount: Int, at offset: Int
  ) throws -> ExpertPart {
    let format = try #require(QuantFormat(ggmlType: 0))
    return ExpertPart(
      role, name: "\(role)", format: format, rowCount: rowCount, columnCount: columnCount,
      storage: .stack(
        FileExtent(fileIndex: 0, offset: offset, byteCount: 4 * rowCount * columnCount)))
  }

  private static func layer(isFused: Bool, hasBiases: Bool) throws -> ExpertLayer {
    let (h, w) = (hiddenSize, width)
    var parts =
      isFused
      ? [try part(.gateUp, 2 * w, h, at: 0)]
      : [try part(.gate, w, h, at: 0), try part(.up, w, h, at: 4 * w * h)]
    parts.append(try part(.down, h, w, at: 8 * w * h))
    if hasBiases {
      parts +=
        isFused
        ? [try part(.gateUpBias, 1, 2 * w, at: 12 * w * h)]
        : [
          try part(.gateBias, 1, w, at: 12 * w * h),
          try part(.upBias, 1, w, at: 12 * w * h + 4 * w),
        ]
      parts.append(try part(.downBias, 1, h, at: 12 * w * h + 8 * w))
    }
    return ExpertLayer(expertCount: 1, expertsPerToken: 1, parts: parts)
  }

  /// Fills with random numbers, given as bytes of the stored parts.
  private static func fill(
    _ floats: ExpertFloats, _ layer: ExpertLayer, seed: UInt64, _ team: WorkerTeam
  ) throws -> [ExpertPartRole: [Float]] {
    var random = SeededGenerator(seed: seed)
    var values: [ExpertPartRole: [Float]] = [:]
    let buffer = try AlignedBuffer(byteCount: layer.slotByteCountPerExpert)
    var views: [ByteView] = []
    var end = 0
    for part in layer.parts {
      let count = part.rowCount * part.columnCount
      let own = (0..<count).map { _ in Float(0.2 * random.nextGaussian()) }
      values[part.role] = own
      buffer.floats(atByteOffset: end, count: count).copy(from: own)
      views.append(buffer.bytes(atOffset: end, count: 4 * count))
      end += 4 * count
    }
    floats.fill(views, formats: layer.parts.map(\.format), team: team)
    return values
  }

  @Test(arguments: [false, true], [false, true])
  func innerRowsAreTheActivation(_ isFused: Bool, _ hasBiases: Bool) throws {
    let team = try WorkerTeam(workerCount: 2)
    let layer = try Self.layer(isFused: isFused, hasBiases: hasBiases)
    let floats = try ExpertFloats(layer)
    let values = try Self.fill(floats, layer, seed: 1, team)
    let scale: Float = 1.5
    floats.scales = isFused ? [.gateUp: scale] : [.gate: scale, .up: scale]
    let inner = try InnerRows(
      hiddenSize: Self.hiddenSize, width: Self.width, activation: .swiGLU, team: team)
    var random = SeededGenerator(seed: 2)
    let count = 7
    var inputs: [[Double]] = []
    for row in 0..<count {
      let own = (0..<Self.hiddenSize).map { _ in Float(random.nextGaussian()) }
      inner.input.row(row).copy(from: own)
      inputs.append(own.map { Double($0) })
    }
    let found = inner.activations(rowCount: count, floats)
    let (h, w) = (Self.hiddenSize, Self.width)
    func matrix(_ role: ExpertPartRole) -> ArraySlice<Float> {
      let all = values[.gateUp] ?? []
      return switch (role, isFused) {
      case (.gate, true): all[..<(w * h)]
      case (.up, true): all[(w * h)...]
      default: (values[role] ?? [])[...]
      }
    }
    func bias(_ role: ExpertPartRole, _ fusedOffset: Int, _ row: Int) -> Double {
      guard hasBiases else { return 0 }
      return Double(isFused ? values[.gateUpBias]![fusedOffset + row] : values[role]![row])
    }
    for row in 0..<count {
      for index in 0..<w {
        func product(_ role: ExpertPartRole) -> Double {
          let weights = matrix(role)
          return Double(scale)
            * (0..<h).reduce(0) {
              $0 + Double(weights[weights.startIndex + index * h + $1]) * inputs[row][$1]
            }
        }
        let gate = product(.gate) + bias(.gateBias, 0, index)
        let up = product(.up) + bias(.upBias, w, index)
        let wanted = gate / (1 + exponential(-gate)) * up
        #expect(abs(Double(found.row(row)[index]) - wanted) < 1e-4 * max(1, abs(wanted)))
      }
    }
  }

  /// e to the power of x, by its series at a small argument.
  private func exponential(_ x: Double) -> Double {
    var (sum, term) = (1.0, 1.0)
    let small = x / 1024
    for index in 1...20 {
      term *= small / Double(index)
      sum += term
    }
    for _ in 0..<10 { sum *= sum }
    return sum
  }

  /// Each matrix comes out as it does from the Hessian of the rows that it reads.
  @Test(arguments: [false, true]) func matricesAreCalibratedWithTheirRows(_ isFused: Bool) throws {
    let team = try WorkerTeam(workerCount: 2)
    let quantizer = MatrixQuantizer(team: team, factorizer: CheckedFactorizer(nil, team: team))
    let layer = try Self.layer(isFused: isFused, hasBiases: false)
    let floats = try ExpertFloats(layer)
    _ = try Self.fill(floats, layer, seed: 3, team)
    let tokenCount = 600
    let rows = try CalibrationRows(
      layer: 0, columnCount: Self.hiddenSize, expertCount: 2, tokenCount: tokenCount,
      memoryByteCount: 1 << 24, folder: nil)
    var random = SeededGenerator(seed: 4)
    let inputs = try OwnedRows(
      (0..<tokenCount * Self.hiddenSize).map { _ in Float(random.nextGaussian()) },
      columnCount: Self.hiddenSize)
    let memory = try AlignedBuffer(byteCount: 8 * tokenCount)
    let numbers = memory.words(count: 2 * tokenCount)
    for token in 0..<tokenCount { numbers[token] = token % 50 == 0 ? 1 : 0 }
    try rows.append(
      inputs.rows,
      Selection(
        tokenCount: tokenCount, expertsPerToken: 1, experts: numbers.slice(0, count: tokenCount),
        weights: memory.floats(atByteOffset: 4 * tokenCount, count: tokenCount), expertStride: 1,
        weightStride: 1))

    let q8 = try #require(BlockEncoderRegistry.entry(named: "q8_0"))
    let q4 = try #require(BlockEncoderRegistry.entry(named: "q4_0"))
    let expert = try ExpertQuantizer(
      hiddenSize: Self.hiddenSize, width: Self.width, activation: .swiGLU, quantizer: quantizer)
    let targets: [ExpertPartRole: WeightTarget] = [
      .gate: .ternary(), .up: .blocks(q4), .gateUp: .ternary(), .down: .blocks(q8),
    ]
    let parts = try expert.quantize(floats, index: 0, rows: rows, targets: targets)
    #expect(parts.map(\.role) == (isFused ? [.gateUp, .down] : [.gate, .up, .down]))

    let hidden = try Hessian(columnCount: Self.hiddenSize, team: team)
    let inner = try Hessian(columnCount: Self.width, team: team)
    let room = try InnerRows(
      hiddenSize: Self.hiddenSize, width: Self.width, activation: .swiGLU, team: team)
    for token in 0..<tokenCount where token % 50 != 0 {
      room.input.row(0).copy(from: inputs.rows.row(token))
      hidden.add(room.input.rows(0, count: 1))
      inner.add(room.activations(rowCount: 1, floats))
    }
    for part in parts {
      let target = try #require(targets[part.role])
      let matrix = try #require(floats.rows(part.role))
      let wanted = try quantizer.gptq(
        [matrix], part.role == .down ? inner : hidden, as: target)[0]
      #expect(part.outcome.method == .gptq && part.outcome.tokenCount == 588)
      #expect(part.weights.bytes == wanted.weights.bytes, "\(part.role)")
    }
    // Few rows go to the other one.
    let other = try expert.quantize(floats, index: 1, rows: rows, targets: targets)
    try checkReport(parts, other)
    let plain = try expert.quantize(floats, index: 0, rows: nil, targets: targets)
    #expect(plain.map(\.weights.bytes) == other.map(\.weights.bytes))
    withExtendedLifetime(inputs) {}
  }

  /// What a report says of an expert with many rows and one with few.
  private func checkReport(
    _ parts: [ExpertQuantizer.Part], _ other: [ExpertQuantizer.Part]
  ) throws {
    for part in other {
      #expect(part.outcome.method == .nearest(.fewTokens(12, wanted: 16)))
    }
    var report = QuantizationReport()
    report.add(ExpertID(layer: 0, index: 0), parts)
    #expect(report.fallbacks.isEmpty && report.entries.count == parts.count)
    report.add(ExpertID(layer: 0, index: 1), other)
    #expect(report.fallbacks.map(\.role) == other.map(\.role))
    #expect(report.fallbacks[0].reason.contains("12 tokens of the calibration text take it"))
    let loss = try #require(report.relativeLoss(ofLayer: 0))
    #expect(loss.reached < loss.nearest && loss.nearest < 1 && loss.reached > 0)
    #expect(report.relativeLoss(ofLayer: 1) == nil)
    let values = (parts + other).flatMap { $0.weights.values.joined() }
    let zeros = Double(values.count { $0 == 0 }) / Double(values.count)
    #expect(abs(report.zeroShare - zeros) < 1e-9 && zeros > 0.1)
  }
}
