import MoECore
import MoEKernels
import MoEStore

/// The memory of all slots: one allocation, cut into places, those of a class side by side, and
/// another of lent memory, where places lie in the order in which they are taken back, last first.
///
/// A place is where bytes lie; a slot of the cache has one, and exchanges it when an expert that
/// was prefetched moves in.
struct ExpertPool: ~Copyable {
  let layout: PoolLayout
  let slots: PoolSlots
  private let buffer: AlignedBuffer
  /// (class): the numbers of its places, and the byte offset of the first.
  private let placeRanges: [Range<Int>]
  private let firstOffsets: [Int]
  private let lentBuffer: AlignedBuffer
  /// (lent place): the byte offset of its end.
  private let lentEnds: [Int]

  init(
    _ layout: PoolLayout, slots: PoolSlots, loanByteCount: Int = 0
  ) throws(OutOfMemory) {
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
    var end = 0
    lentEnds = slots.lent.map { sizeClass in
      end += layout.classes[sizeClass].slotByteCount
      return end
    }
    precondition(end <= loanByteCount)
    // Together at the end: a value half made cannot be taken apart.
    let own = try AlignedBuffer(byteCount: offset)
    let lent = try AlignedBuffer(byteCount: loanByteCount)
    buffer = own
    lentBuffer = lent
  }

  private var ownPlaceCount: Int { placeRanges.last?.upperBound ?? 0 }
  var placeCount: Int { ownPlaceCount + lentEnds.count }

  /// The places that the cache's slots have at first, in the order of the slots: those of lent
  /// memory come last in their class, so that they are filled last.
  var placesOfSlots: [Int] {
    placeRanges.indices.flatMap { sizeClass in
      placeRanges[sizeClass].prefix(slots.cached[sizeClass])
        + slots.lent.indices.filter { slots.lent[$0] == sizeClass }.map { ownPlaceCount + $0 }
    }
  }

  /// How many lent places lie in the first `byteCount` bytes that are lent.
  func lentPlaceCount(byteCount: Int) -> Int { lentEnds.count { $0 <= byteCount } }

  /// The numbers of some lent places, counted from 0 among these.
  func lentPlaces(_ range: Range<Int>) -> Range<Int> {
    ownPlaceCount + range.lowerBound..<ownPlaceCount + range.upperBound
  }

  /// Gives lent memory back from an offset on, which is that of a page, a huge one where such are
  /// in use.
  borrowing func discardLent(from byteCount: Int) {
    let count = max(0, lentBuffer.byteCount - byteCount)
    AlignedBuffer.discard(lentBuffer.bytes(atOffset: lentBuffer.byteCount - count, count: count))
  }

  borrowing func lentMemory() -> ByteView { lentBuffer.bytes(count: lentBuffer.byteCount) }

  /// The places of a class in which experts are staged at first.
  func stagingPlaces(sizeClass: Int) -> Range<Int> {
    placeRanges[sizeClass].dropFirst(slots.cached[sizeClass])
  }

  func sizeClass(ofPlace place: Int) -> Int {
    if place >= ownPlaceCount { return slots.lent[place - ownPlaceCount] }
    guard let sizeClass = placeRanges.firstIndex(where: { $0.contains(place) }) else {
      preconditionFailure("place \(place) of \(placeCount)")
    }
    return sizeClass
  }

  borrowing func memory() -> ByteView { buffer.bytes(count: buffer.byteCount) }

  /// The memory of one region in a place of the class that `layer` belongs to; aligned as the
  /// layout says.
  borrowing func region(place: Int, layer: Int, number region: Int) -> ByteView {
    let number = layout.sizeClass(ofLayer: layer)
    let sizeClass = layout.classes[number]
    let count = sizeClass.regionByteCounts[region]
    var offset = 0
    for earlier in 0..<region { offset += sizeClass.regionByteCounts[earlier] }
    let lent = place - ownPlaceCount
    if lent >= 0 {
      precondition(slots.lent[lent] == number)
      return lentBuffer.bytes(
        atOffset: lentEnds[lent] - sizeClass.slotByteCount + offset, count: count)
    }
    precondition(placeRanges[number].contains(place))
    let index = place - placeRanges[number].lowerBound
    offset += firstOffsets[number] + index * sizeClass.slotByteCount
    return buffer.bytes(atOffset: offset, count: count)
  }
}
