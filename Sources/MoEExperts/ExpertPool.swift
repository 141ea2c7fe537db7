import MoECore
import MoEKernels
import MoEStore

/// The memory of all slots: one allocation, cut into places, those of a class side by side.
///
/// A place is where bytes lie; a slot of the cache has one, and exchanges it when an expert that
/// was read ahead moves in.
struct ExpertPool: ~Copyable {
  let layout: PoolLayout
  let slots: PoolSlots
  private let buffer: AlignedBuffer
  /// (class): the numbers of its places, and the byte offset of the first.
  private let placeRanges: [Range<Int>]
  private let firstOffsets: [Int]

  init(_ layout: PoolLayout, slots: PoolSlots) throws(OutOfMemory) {
    self.layout = layout
    self.slots = slots
    var (place, offset) = (0, 0)
    var (ranges, offsets): ([Range<Int>], [Int]) = ([], [])
    for (sizeClass, count) in zip(layout.classes, slots.all) {
      ranges.append(place..<place + count)
      offsets.append(offset)
      place += count
      offset += count * sizeClass.slotByteCount
    }
    placeRanges = ranges
    firstOffsets = offsets
    buffer = try AlignedBuffer(byteCount: offset)
  }

  var placeCount: Int { placeRanges.last?.upperBound ?? 0 }

  /// The places that the cache's slots have at first, in the order of the slots.
  var placesOfSlots: [Int] {
    zip(placeRanges, slots.cached).flatMap { range, count in range.prefix(count) }
  }

  /// The places of a class in which experts are staged at first.
  func stagingPlaces(sizeClass: Int) -> Range<Int> {
    placeRanges[sizeClass].dropFirst(slots.cached[sizeClass])
  }

  borrowing func memory() -> ByteView { buffer.bytes(count: buffer.byteCount) }

  /// The memory of one matrix in a place of the class that `layer` belongs to; aligned to 4 KiB.
  borrowing func region(place: Int, layer: Int, matrix: ExpertMatrix) -> ByteView {
    let number = layout.classOfLayer[layer]
    let sizeClass = layout.classes[number]
    precondition(placeRanges[number].contains(place))
    let index = place - placeRanges[number].lowerBound
    var offset = firstOffsets[number] + index * sizeClass.slotByteCount
    for earlier in 0..<matrix.rawValue { offset += sizeClass.regionByteCounts[earlier] }
    return buffer.bytes(atOffset: offset, count: sizeClass.regionByteCounts[matrix.rawValue])
  }
}
