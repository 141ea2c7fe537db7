import MoECore
import MoEKernels

/// The memory of all sequences' pages.
///
/// Address space is reserved for all pages; memory is taken for those up to the last one in use and
/// given back from behind, so that what sequences leave can serve something else.
///
/// Invariant: a page is free or in use, never both; every page in use lies within what is held.
struct PagePool: ~Copyable {
  let layout: StateLayout
  /// (group): its pages. Each group has a buffer of its own, so that none shares a huge page.
  private let memories: [Memory]
  private let partialBuffer: AlignedBuffer
  /// (group, page)
  private var isUsed: [[Bool]]
  /// (group): pages from the first on that have memory.
  private var heldPageCounts: [Int]

  private final class Memory {
    let buffer: AlignedBuffer

    init(byteCount: Int) throws(OutOfMemory) { buffer = try AlignedBuffer(byteCount: byteCount) }
  }

  init(_ layout: StateLayout) throws(OutOfMemory) {
    var memories: [Memory] = []
    for group in layout.groups { memories.append(try Memory(byteCount: group.mappedByteCount)) }
    let partials = try AlignedBuffer(byteCount: 4 * layout.partialCount)
    partials.populate()
    self.layout = layout
    self.memories = memories
    partialBuffer = partials
    isUsed = layout.groups.map { Array(repeating: false, count: $0.pageCount) }
    heldPageCounts = Array(repeating: 0, count: layout.groups.count)
  }

  /// What attention over a long past works with.
  borrowing func partials() -> FloatView {
    partialBuffer.floats(count: layout.partialCount)
  }

  /// Takes the first free page of a group; nil where all are in use. It has no memory before
  /// `hold`.
  mutating func take(group: Int) -> Int? {
    guard let page = isUsed[group].firstIndex(of: false) else { return nil }
    isUsed[group][page] = true
    return page
  }

  mutating func giveBack(_ page: Int, group: Int) {
    precondition(isUsed[group][page])
    isUsed[group][page] = false
  }

  borrowing func page(_ page: Int, group: Int) -> ByteView {
    let stride = layout.groups[group].pageByteStride
    return memories[group].buffer.bytes(atOffset: page * stride, count: stride)
  }

  /// (group): pages up to the last one in use.
  private var usedPageCounts: [Int] {
    isUsed.map { ($0.lastIndex(of: true) ?? -1) + 1 }
  }

  private func byteCount(_ pageCounts: [Int]) -> Int {
    zip(layout.groups, pageCounts).reduce(0) { $0 + $1.0.mappedByteCount(pageCount: $1.1) }
  }

  /// What the pages that have memory take, and what those up to the last one in use take.
  var heldByteCount: Int { byteCount(heldPageCounts) }
  var usedByteCount: Int { byteCount(usedPageCounts) }

  /// Whether every page in use has memory.
  var holdsWhatIsUsed: Bool {
    zip(heldPageCounts, usedPageCounts).allSatisfy { $0 >= $1 }
  }

  /// Takes memory for all pages up to the last one in use.
  mutating func holdUsed() { hold(zip(heldPageCounts, usedPageCounts).map { max($0, $1) }) }

  /// The same, and gives back what lies behind it.
  mutating func holdAndTrim() { hold(usedPageCounts) }

  /// Takes memory for all pages now, so that later steps take no page faults.
  mutating func holdAll() { hold(layout.groups.map(\.pageCount)) }

  private mutating func hold(_ pageCounts: [Int]) {
    for (number, group) in layout.groups.enumerated() {
      let held = group.mappedByteCount(pageCount: heldPageCounts[number])
      let wanted = group.mappedByteCount(pageCount: pageCounts[number])
      let memory = memories[number]
      if wanted > held {
        AlignedBuffer.populate(memory.buffer.bytes(atOffset: held, count: wanted - held))
      } else if wanted < held {
        AlignedBuffer.discard(memory.buffer.bytes(atOffset: wanted, count: held - wanted))
      }
      heldPageCounts[number] = pageCounts[number]
    }
  }
}
