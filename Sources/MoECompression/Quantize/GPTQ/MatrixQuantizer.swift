import MoECore
package import MoEKernels
private import Synchronization

/// How carefully weights are rounded.
package struct GPTQOptions: Sendable, Equatable {
  /// Added to the diagonal of H, as a share of its mean: ten times what GPTQ takes for dense models
  /// (QMoE, arXiv 2310.16795, section 3.2).
  package var damping = 0.1
  /// A matrix that fewer rows go through is rounded to the nearest values: with so few, GPTQ loses
  /// up to a tenth on other rows where inputs have no strong directions, and gains as much or far
  /// more where they have.
  package var tokenCountMin = 16

  package init() {}
}

/// Quantises matrices, one or several that read the same rows.
///
/// Every row of a matrix is rounded by itself, shared among the team's workers; what comes out
/// depends neither on their number nor on the other matrices.
package final class MatrixQuantizer {
  package let team: WorkerTeam
  package let factorizer: CheckedFactorizer

  package init(team: WorkerTeam) {
    self.team = team
    factorizer = CheckedFactorizer(team: team)
  }

  /// With a factorizer of the caller's.
  package init(team: WorkerTeam, factorizer: CheckedFactorizer) {
    self.team = team
    self.factorizer = factorizer
  }

  /// What one call takes besides the Hessian: the differences, and the workers' memory.
  package static func byteCount(rowCount: Int, columnCount: Int, workerCount: Int) -> Int {
    let stride = Hessian.rowStride(columnCount: columnCount)
    let perRow = 9 * columnCount + 8 * 128 + MemoryLayout<BlockGrid>.stride + 8
    return AlignedBuffer.mappedByteCount(for: 4 * rowCount * stride)
      + workerCount * (64 * perRow + 4 * columnCount)
  }

  /// Rounds to the nearest values.
  ///
  /// - Parameters:
  ///   - weights: (row, column)
  ///   - importance: (column): how much errors count while grids are fitted; nil: all alike.
  package func nearest(
    _ weights: FloatRows, as target: WeightTarget, importance: [Float]? = nil
  ) throws(QuantizeError) -> (weights: QuantizedWeights, outcome: QuantizationOutcome) {
    try check(weights, target)
    let start = MonotonicClock.nanoseconds()
    let differences = try differences(weights)
    let (result, _) = round(
      weights, target, factor: nil, importance: importance, differences.rows)
    var outcome = QuantizationOutcome(method: .nearest(.chosen))
    measure(weights, differences.rows, &outcome)
    outcome.seconds = Self.seconds(since: start)
    return (result, outcome)
  }

  /// Rounds by GPTQ, or to the nearest values where that cannot be; the outcome says which.
  ///
  /// - Parameters:
  ///   - matrices: (row, column) each, all of the columns of the Hessian.
  ///   - hessian: Of the rows that they read. Its factor is made once for all.
  package func gptq(
    _ matrices: [FloatRows], _ hessian: Hessian, as target: WeightTarget,
    options: GPTQOptions = GPTQOptions()
  ) throws(QuantizeError) -> [(weights: QuantizedWeights, outcome: QuantizationOutcome)] {
    for matrix in matrices {
      precondition(matrix.columnCount == hessian.columnCount)
      try check(matrix, target)
    }
    var start = MonotonicClock.nanoseconds()
    let damping = hessian.damping(options.damping)
    var outcome = QuantizationOutcome(method: .gptq, tokenCount: hessian.tokenCount)
    if hessian.tokenCount < options.tokenCountMin {
      outcome.method = .nearest(
        .fewTokens(hessian.tokenCount, wanted: options.tokenCountMin))
    } else {
      do throws(FactorError) {
        outcome.wasMended = try hessian.factor(
          damping: damping, by: factorizer.factorizer)
      } catch {
        outcome.method = .nearest(.factor(error))
      }
    }
    var results: [(weights: QuantizedWeights, outcome: QuantizationOutcome)] = []
    for matrix in matrices {
      results.append(
        try quantize(matrix, hessian, target, outcome, damping: damping, since: start))
      start = MonotonicClock.nanoseconds()
    }
    return results
  }

  private func quantize(
    _ weights: FloatRows, _ hessian: Hessian, _ target: WeightTarget,
    _ common: QuantizationOutcome, damping: Double, since start: UInt64
  ) throws(QuantizeError) -> (weights: QuantizedWeights, outcome: QuantizationOutcome) {
    var outcome = common
    let differences = try differences(weights)
    var (result, _) = round(weights, target, factor: nil, importance: nil, differences.rows)
    outcome.nearestLoss = hessian.loss(differences.rows)
    outcome.loss = outcome.nearestLoss
    var dampedLoss = 0.0
    if outcome.method == .gptq {
      (result, dampedLoss) = round(
        weights, target, factor: hessian.matrix, importance: nil, differences.rows)
    }
    measure(weights, differences.rows, &outcome)
    if outcome.method == .gptq {
      outcome.loss = max(0, dampedLoss - damping * outcome.weightLoss)
    }
    let all = try self.differences(weights)
    for row in 0..<weights.rowCount { all.rows.row(row).copy(from: weights.row(row)) }
    outcome.signal = hessian.loss(all.rows)
    outcome.seconds = Self.seconds(since: start)
    return (result, outcome)
  }

  // MARK: - Rows

  private func round(
    _ weights: FloatRows, _ target: WeightTarget, factor: DoubleBlock?, importance: [Float]?,
    _ differences: FloatRows
  ) -> (weights: QuantizedWeights, dampedLoss: Double) {
    let columnCount = weights.columnCount
    switch target {
    case .blocks(let encoder):
      return round(
        weights, target,
        RowQuantizer(
          BlockTarget(encoder: encoder), columnCount: columnCount, factor: factor,
          importance: importance),
        differences)
    case .ternary(let count):
      return round(
        weights, target,
        RowQuantizer(
          TernaryTarget(columnCount: columnCount, blockElementCount: count ?? columnCount),
          columnCount: columnCount, factor: factor, importance: importance),
        differences)
    }
  }

  private func round<Target: GridTarget>(
    _ weights: FloatRows, _ target: WeightTarget, _ quantizer: RowQuantizer<Target>,
    _ differences: FloatRows
  ) -> (weights: QuantizedWeights, dampedLoss: Double) {
    let rowByteCount = target.rowByteCount(columnCount: weights.columnCount)
    var bytes = [UInt8](repeating: 0, count: weights.rowCount * rowByteCount)
    let pieceRowCount = RowQuantizer<Target>.Room.rowCountMax
    let rooms = (0..<team.workerCount).map { _ in quantizer.makeRoom() }
    let columnCost = quantizer.factor == nil ? 50 : 50 + weights.columnCount / 4
    // (row): added up in their order at last, whoever made them.
    let losses = Mutex([Double](repeating: 0, count: weights.rowCount))
    unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let start = buffer.baseAddress else { return }
      let all = unsafe ByteView(start, count: buffer.count)
      team.forEachPiece(
        count: (weights.rowCount + pieceRowCount - 1) / pieceRowCount,
        cost: weights.rowCount * weights.columnCount * columnCost
      ) { piece, worker in
        let first = piece * pieceRowCount
        let count = min(pieceRowCount, weights.rowCount - first)
        let found = quantizer.quantize(
          weights.rows(first, count: count),
          into: all.slice(first * rowByteCount, count: count * rowByteCount),
          rowByteCount: rowByteCount, differences: differences.rows(first, count: count),
          rooms[worker])
        losses.withLock { $0.replaceSubrange(first..<first + count, with: found) }
      }
    }
    let result = QuantizedWeights(
      target: target, rowCount: weights.rowCount, columnCount: weights.columnCount, bytes: bytes)
    return (result, losses.withLock { $0.reduce(0, +) })
  }

  private func differences(_ weights: FloatRows) throws(QuantizeError) -> Differences {
    do throws(OutOfMemory) {
      return try Differences(weights)
    } catch {
      throw .outOfMemory(error)
    }
  }

  private func check(_ weights: FloatRows, _ target: WeightTarget) throws(QuantizeError) {
    do throws(EncodingError) {
      try target.check(columnCount: weights.columnCount)
      try Self.checkRange(weights)
    } catch {
      throw .weights(place: "", error)
    }
  }

  private static func checkRange(_ weights: FloatRows) throws(EncodingError) {
    for row in 0..<weights.rowCount {
      let values = weights.row(row)
      for column in 0..<values.count {
        // False for a NaN, too.
        if values[column].magnitude <= EncodingError.magnitudeMax { continue }
        throw values[column].isFinite
          ? .tooLarge(row: row, column: column) : .notFinite(row: row, column: column)
      }
    }
  }

  private func measure(
    _ weights: FloatRows, _ differences: FloatRows, _ outcome: inout QuantizationOutcome
  ) {
    var zeroCount = 0
    for row in 0..<weights.rowCount {
      let (values, changes) = (weights.row(row), differences.row(row))
      for column in 0..<values.count {
        let (value, change) = (Double(values[column]), Double(changes[column]))
        outcome.weightSquare += value * value
        outcome.weightLoss += change * change
        if values[column] == changes[column] { zeroCount += 1 }
      }
    }
    outcome.zeroShare =
      Double(zeroCount) / Double(max(1, weights.rowCount * weights.columnCount))
  }

  private static func seconds(since start: UInt64) -> Double {
    Double(MonotonicClock.nanoseconds() - start) * 1e-9
  }
}

/// Rows as `Hessian.loss` wants them.
private struct Differences: ~Copyable {
  private let memory: AlignedBuffer
  let rows: FloatRows

  /// - Parameter weights: Whose size they have.
  init(_ weights: FloatRows) throws(OutOfMemory) {
    let stride = Hessian.rowStride(columnCount: weights.columnCount)
    memory = try AlignedBuffer(byteCount: 4 * weights.rowCount * stride)
    rows = FloatRows(
      memory.floats(count: weights.rowCount * stride), rowCount: weights.rowCount,
      columnCount: weights.columnCount, stride: stride)
  }
}
