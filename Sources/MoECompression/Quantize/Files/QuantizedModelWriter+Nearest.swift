import MoECore
import MoEExperts
import MoEKernels

/// Rounding to the nearest values, which needs no calibration text.
extension QuantizedModelWriter {
  /// The parts of an expert that change.
  func nearest(_ expert: ExpertID) throws(QuantizeError) -> [ExpertPartRole: [UInt8]] {
    let floats = try expertFloats(ofLayer: expert.layer)
    try source.read(expert, into: floats, team: quantizer.team)
    var made: [ExpertPartRole: [UInt8]] = [:]
    for part in floats.parts {
      guard let encoder = encoder(of: part.role, expert), let rows = floats.rows(part.role) else {
        continue
      }
      made[part.role] = try nearest(rows, encoder, tensor: "\(part.name) of expert \(expert.index)")
    }
    return made
  }

  /// Kept for as long as a layer's experts come.
  private func expertFloats(ofLayer layer: Int) throws(QuantizeError) -> ExpertFloats {
    if let floats, floats.layer == layer { return floats.expert }
    floats = nil
    let made = try withMemoryErrors { () throws(OutOfMemory) in
      try ExpertFloats(source.experts.layers[layer])
    }
    floats = (layer, made)
    return made
  }

  func nearest(
    _ rows: FloatRows, _ encoder: BlockEncoder, tensor: String
  ) throws(QuantizeError) -> [UInt8] {
    do throws(QuantizeError) {
      return try quantizer.nearest(rows, as: .blocks(encoder)).weights.bytes
    } catch {
      if case .weights(_, let problem) = error { throw .weights(place: tensor, problem) }
      throw error
    }
  }

  /// Rows of a dense matrix.
  func encode(
    _ bytes: [UInt8], _ format: QuantFormat, _ encoder: BlockEncoder, rowCount: Int,
    columnCount: Int, tensor: String
  ) throws(QuantizeError) -> [UInt8] {
    let stored = try withMemoryErrors { () throws(OutOfMemory) in
      try AlignedBuffer(byteCount: bytes.count)
    }
    let memory = try withMemoryErrors { () throws(OutOfMemory) in
      try AlignedBuffer(byteCount: 4 * rowCount * columnCount)
    }
    stored.bytes(count: bytes.count).copy(from: bytes)
    let floats = memory.floats(count: rowCount * columnCount)
    format.dequantize(stored.bytes(count: bytes.count), into: floats)
    return try nearest(
      FloatRows(floats, rowCount: rowCount, columnCount: columnCount), encoder, tensor: tensor)
  }
}
