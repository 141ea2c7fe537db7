import MoECore
import MoEKernels
import MoEStore

/// The memory of all slots: one allocation, slots of a class side by side.
struct ExpertPool: ~Copyable {
  let layout: PoolLayout
  let slotCounts: [Int]
  private let buffer: AlignedBuffer
  /// (class): number of its first slot, and byte offset of that slot.
  private let firstSlots: [Int]
  private let firstOffsets: [Int]

  init(_ layout: PoolLayout, slotCounts: [Int]) throws(OutOfMemory) {
    self.layout = layout
    self.slotCounts = slotCounts
    var (slot, offset) = (0, 0)
    var (slots, offsets): ([Int], [Int]) = ([], [])
    for (sizeClass, count) in zip(layout.classes, slotCounts) {
      slots.append(slot)
      offsets.append(offset)
      slot += count
      offset += count * sizeClass.slotByteCount
    }
    firstSlots = slots
    firstOffsets = offsets
    buffer = try AlignedBuffer(byteCount: offset)
  }

  borrowing func memory() -> ByteView { buffer.bytes(count: buffer.byteCount) }

  /// The memory of one matrix in a slot of the class that `layer` belongs to; aligned to 4 KiB.
  borrowing func region(slot: Int, layer: Int, matrix: ExpertMatrix) -> ByteView {
    let number = layout.classOfLayer[layer]
    let sizeClass = layout.classes[number]
    let index = slot - firstSlots[number]
    precondition(index >= 0 && index < slotCounts[number])
    var offset = firstOffsets[number] + index * sizeClass.slotByteCount
    for earlier in 0..<matrix.rawValue { offset += sizeClass.regionByteCounts[earlier] }
    return buffer.bytes(atOffset: offset, count: sizeClass.regionByteCounts[matrix.rawValue])
  }
}
