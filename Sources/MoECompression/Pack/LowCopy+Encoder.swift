import MoECore
import MoEKernels
import MoEStore

extension LowCopy {
  /// Copies whose matrices are rounded to the nearest values of a format's grid. Vectors stay as
  /// they are, and so do matrices that have no more bits already.
  package static func nearest(_ encoder: BlockEncoder, quantizer: MatrixQuantizer) -> LowCopy {
    func target(_ shape: CodedShape) -> BlockEncoder? {
      guard shape.rowCount > 1,
        let found = BlockEncoderRegistry.substitute(
          for: encoder, columnCount: shape.columnCount)
      else { return nil }
      let bits = 8 * Double(shape.byteCount) / Double(shape.rowCount * shape.columnCount)
      return found.bitsPerWeight < bits ? found : nil
    }
    return LowCopy(
      name: encoder.name, format: { target($0)?.format ?? $0.format },
      make: { part, shape in
        guard let target = target(shape) else {
          return part.slice(0, count: shape.byteCount).array()
        }
        let memory = try AlignedBuffer(byteCount: 4 * shape.rowCount * shape.columnCount)
        let floats = memory.floats(count: shape.rowCount * shape.columnCount)
        shape.format.dequantize(part.slice(0, count: shape.byteCount), into: floats)
        return try quantizer.nearest(
          FloatRows(floats, rowCount: shape.rowCount, columnCount: shape.columnCount),
          as: .blocks(target)
        ).weights.bytes
      })
  }
}
