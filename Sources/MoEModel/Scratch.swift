import MoECore
import MoEKernels

/// The memory behind a `ScratchLayout`, made once.
struct Scratch: ~Copyable {
  let layout: ScratchLayout
  private let buffer: AlignedBuffer

  init(_ layout: ScratchLayout) throws(OutOfMemory) {
    self.layout = layout
    buffer = try AlignedBuffer(byteCount: layout.byteCount)
  }

  borrowing func populate() { buffer.populate() }

  /// The first `count` rows of a region.
  borrowing func rows(_ region: ScratchRegion, count: Int) -> FloatRows {
    precondition(count <= region.rowCount)
    let stride = region.rowByteCount / 4
    let elements = count == 0 ? 0 : (count - 1) * stride + region.columnCount
    return FloatRows(
      buffer.floats(atByteOffset: region.offset, count: elements), rowCount: count,
      columnCount: region.columnCount, stride: stride)
  }

  borrowing func floats(_ region: ScratchRegion) -> FloatView {
    buffer.floats(atByteOffset: region.offset, count: region.columnCount)
  }

  /// A whole region, padding included.
  borrowing func allFloats(_ region: ScratchRegion) -> FloatView {
    buffer.floats(
      atByteOffset: region.offset, count: region.rowCount * region.rowByteCount / 4)
  }

  /// Whole regions, by form.
  borrowing func bytes(
    _ regions: [ActivationForm: ScratchRegion]
  ) -> [ActivationForm: ByteView] {
    regions.mapValues {
      buffer.bytes(atOffset: $0.offset, count: $0.rowCount * $0.rowByteCount)
    }
  }

  /// What an executor of experts computes in.
  borrowing func expertScratch(_ regions: ExpertRegions) -> ExpertScratch {
    ExpertScratch(
      rowCount: regions.rowCount, gatheredRowCount: regions.gatheredRowCount,
      gate: allFloats(regions.gate), up: allFloats(regions.up), down: allFloats(regions.down),
      gathered: bytes(regions.gathered), inner: bytes(regions.inner))
  }

  borrowing func indices(_ region: ScratchRegion) -> IndexView {
    let count = region.rowCount * region.rowByteCount / 4
    let bytes = buffer.bytes(atOffset: region.offset, count: count * 4)
    return unsafe IndexView(bytes.pointer.assumingMemoryBound(to: UInt32.self), count: count)
  }

  /// Room for `count` rows of `columns` elements in one form.
  borrowing func activations(
    _ regions: [ActivationForm: ScratchRegion], form: ActivationForm, count: Int,
    columns: Int
  ) -> ActivationRows {
    guard let region = regions[form] else {
      preconditionFailure("the layout has a region for every form that is written")
    }
    let byteCount = region.rowCount * region.rowByteCount
    return ActivationRows(
      buffer.bytes(atOffset: region.offset, count: byteCount), rowCount: count,
      columnCount: columns, form: form)
  }
}

extension FloatRows {
  /// These rows as activation rows of the form f32, without a copy: scratch rows are padded to the
  /// 64 bytes that activation rows are apart.
  var asActivations: ActivationRows {
    let rowByteCount = ActivationForm.f32.rowByteCount(columnCount: columnCount)
    precondition(rowByteCount == stride * 4 || rowCount <= 1)
    return unsafe ActivationRows(
      ByteView(storage.pointer, count: max(storage.count * 4, rowCount * rowByteCount)),
      rowCount: rowCount, columnCount: columnCount, form: .f32)
  }
}
