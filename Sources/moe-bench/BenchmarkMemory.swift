internal import MoECore
internal import MoEKernels

/// Memory of a benchmark, shared by the closures that run and check it.
final class BenchmarkMemory {
  private let buffer: AlignedBuffer

  init(byteCount: Int) throws {
    buffer = try AlignedBuffer(byteCount: max(byteCount, 1))
    buffer.populate()
  }

  var bytes: ByteView { buffer.bytes(count: buffer.byteCount) }

  var array: [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: bytes.pointer, count: bytes.count))
  }

  /// Floats, (row, column) without gaps.
  static func floats(
    _ rowCount: Int, _ columnCount: Int, seed: UInt64? = nil
  ) throws -> BenchmarkRows {
    let memory = try BenchmarkMemory(byteCount: 4 * rowCount * columnCount)
    let view = memory.buffer.floats(count: rowCount * columnCount)
    if let seed {
      var generator = SeededGenerator(seed: seed)
      for index in 0..<view.count { view[index] = Float(generator.nextUnit() * 4 - 2) }
    }
    return BenchmarkRows(
      rows: FloatRows(view, rowCount: rowCount, columnCount: columnCount), memory: memory)
  }

  static func activations(
    of x: FloatRows, _ form: ActivationForm, _ team: WorkerTeam
  ) throws -> (rows: ActivationRows, memory: BenchmarkMemory) {
    let size = x.rowCount * form.rowByteCount(columnCount: x.columnCount)
    let memory = try BenchmarkMemory(byteCount: size)
    let rows = ActivationRows(
      memory.bytes, rowCount: x.rowCount, columnCount: x.columnCount, form: form)
    team.quantize(x, into: rows)
    return (rows, memory)
  }
}

/// Rows of floats, with the memory that they lie in.
struct BenchmarkRows {
  var rows: FloatRows
  var memory: BenchmarkMemory

  var view: FloatView { rows.storage }

  func agrees(with found: FloatView, tolerance: Float) -> Bool {
    withExtendedLifetime(memory) { agree(found, view, tolerance: tolerance) }
  }
}

/// Whether each value found is within `tolerance` of the other, relative to the larger of it and 1.
func agree(_ found: FloatView, _ wanted: FloatView, tolerance: Float) -> Bool {
  guard found.count == wanted.count else { return false }
  return (0..<found.count).allSatisfy {
    abs(found[$0] - wanted[$0]) <= tolerance * max(1, abs(wanted[$0]))
  }
}
