package import MoECore

/// How urgent a read is: nothing of a prefetch is sent while a demand waits.
package enum ReadPriority: Int, Sendable {
  case demand
  case prefetch
}

/// One extent and the memory it goes to.
///
/// The extent's first byte lands at `destination + phase`, where the phase is the extent's offset
/// modulo the reader's alignment: a direct read starts and ends at aligned places, and moving the
/// bytes afterwards would cost more than telling the kernels where they begin.
@safe package struct ReadPart {
  package var extent: FileExtent
  /// Aligned to `ReadPlacement.alignmentMax`. The bytes before and after the extent are overwritten
  /// with its neighbours.
  package var destination: UnsafeMutableRawPointer
  /// Bytes at `destination`; `ReadPlacement.slotByteCount(for:)` of them are enough.
  package var capacity: Int

  package init(extent: FileExtent, destination: UnsafeMutableRawPointer, capacity: Int) {
    self.extent = extent
    unsafe self.destination = destination
    self.capacity = capacity
  }
}

/// Where extents lie in the memory they are read to, for one alignment.
///
/// The figures for `alignmentMax` are upper bounds of those for every smaller one, so memory can be
/// planned before a backend is chosen.
package struct ReadPlacement: Hashable, Sendable {
  /// What memory is planned for. Files that want more are read through the page cache: no common
  /// disk does, and planning for the 64 KiB of some would cost every slot that much.
  package static let alignmentMax = max(4096, AlignedBuffer.pageByteCount)

  /// A power of two, `alignmentMax` at most.
  package let alignment: Int

  package init(alignment: Int) { self.alignment = alignment }

  /// Distance of the extent's first byte from its destination.
  package func phase(of extent: FileExtent) -> Int { extent.offset & (alignment - 1) }

  /// Bytes from the destination on that a read of the extent may write.
  package func readByteCount(for extent: FileExtent) -> Int {
    (phase(of: extent) + extent.byteCount).alignedUp(to: alignment)
  }

  /// The same in multiples of the largest alignment, so that destinations laid one after the other
  /// suit every backend.
  package func slotByteCount(for extent: FileExtent) -> Int {
    readByteCount(for: extent).alignedUp(to: Self.alignmentMax)
  }
}
