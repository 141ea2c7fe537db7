package import MoECore
package import MoEExperts
package import MoEKernels

/// One expert's matrices and biases as floats, in memory that is filled for one after the other.
package final class ExpertFloats {
  private let layer: ExpertLayer
  /// (part): each at a multiple of 64 bytes, its rows without padding.
  private let memory: AlignedBuffer
  private let offsets: [Int]
  private let format: QuantFormat

  /// Factors on the products with the matrices, where a file has such (NVFP4); 1 otherwise.
  package var scales: [ExpertPartRole: Float] = [:]

  /// - Parameter layer: Any of the layers whose experts have parts of the same sizes.
  package init(_ layer: ExpertLayer) throws(OutOfMemory) {
    guard let format = QuantFormat(ggmlType: 0) else {
      preconditionFailure("floats of 32 bits have kernels")
    }
    self.layer = layer
    self.format = format
    var end = 0
    offsets = layer.parts.map { part in
      defer { end += (4 * part.rowCount * part.columnCount + 63) / 64 * 64 }
      return end
    }
    memory = try AlignedBuffer(byteCount: end)
  }

  package var byteCount: Int { memory.mappedByteCount }
  package var parts: [ExpertPart] { layer.parts }

  /// Widens an expert's stored parts.
  ///
  /// - Parameter parts: The bytes of each, in the layer's order and formats, which may differ from
  ///   those of the layer that this was made for.
  package func fill(_ parts: [ByteView], formats: [QuantFormat], team: WorkerTeam) {
    precondition(parts.count == layer.parts.count && formats.count == parts.count)
    for (number, part) in layer.parts.enumerated() {
      let target = rows(number)
      let rowByteCount = formats[number].rowByteCount(columnCount: part.columnCount)
      let pieceRowCount = max(1, 16_384 / part.columnCount)
      team.forEachPiece(
        count: (part.rowCount + pieceRowCount - 1) / pieceRowCount,
        cost: part.rowCount * part.columnCount
      ) { piece, _ in
        let first = piece * pieceRowCount
        for row in first..<min(first + pieceRowCount, part.rowCount) {
          formats[number].dequantize(
            parts[number].slice(row * rowByteCount, count: rowByteCount), into: target.row(row))
        }
      }
    }
  }

  /// A part's floats.
  package func rows(_ number: Int) -> FloatRows {
    let part = layer.parts[number]
    return FloatRows(
      memory.floats(
        atByteOffset: offsets[number], count: part.rowCount * part.columnCount),
      rowCount: part.rowCount, columnCount: part.columnCount)
  }

  /// Nil where experts have no such part.
  package func rows(_ role: ExpertPartRole) -> FloatRows? {
    layer.parts.firstIndex { $0.role == role }.map { rows($0) }
  }

  /// Gate and up as matrices to multiply with, whether or not they are one.
  func firstMatrices() -> (gate: QuantizedMatrix?, up: QuantizedMatrix?) {
    if let both = matrix(.gateUp) {
      let width = both.rowCount / 2
      return (both.rows(0, count: width), both.rows(width, count: width))
    }
    return (matrix(.gate), matrix(.up))
  }

  private func matrix(_ role: ExpertPartRole) -> QuantizedMatrix? {
    guard let number = layer.parts.firstIndex(where: { $0.role == role }) else { return nil }
    let part = layer.parts[number]
    return QuantizedMatrix(
      format: format,
      bytes: memory.bytes(
        atOffset: offsets[number], count: 4 * part.rowCount * part.columnCount),
      rowCount: part.rowCount, columnCount: part.columnCount, scale: scales[role] ?? 1)
  }

  /// The biases of gate and up.
  func firstBiases() -> (gate: FloatView?, up: FloatView?) {
    if let both = rows(.gateUpBias)?.row(0) {
      let width = both.count / 2
      return (both.slice(0, count: width), both.slice(width, count: width))
    }
    return (rows(.gateBias)?.row(0), rows(.upBias)?.row(0))
  }
}
