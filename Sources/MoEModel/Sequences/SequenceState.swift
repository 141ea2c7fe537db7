package import MoECore
import MoEKernels

/// One text in progress: how far it has come, and what the model's layers keep of it.
///
/// A decoder begins and ends it (`Decoder.beginSequence`), and a step takes rows of any number of
/// them. Its pages are the pool's, which it gives back when it ends.
///
/// Invariant: the pages hold every position below `position` that a later one may see, unless the
/// state `isIntact` no more; then it must be cut to 0, or restored.
@safe package final class SequenceState {
  package let id: SequenceID
  /// Tokens that the state holds.
  package internal(set) var position = 0
  /// What changes the router's choices in this text; nil: nothing does. To be changed between
  /// steps.
  package var gating: (any Gating)?
  /// Positions that were written, those of a step that failed included.
  var writtenCount = 0
  /// Tokens that were restored, of whose windows no more is there than the next token sees.
  var restoredCount = 0
  /// Which of the two pages has the states of fixed size.
  private(set) var stateNumber = 0
  /// (group, number of the page in the text, or in the ring): pages of the pool.
  private(set) var pages: [[Int]]
  /// (group, page): the addresses of its pages; none where there is no page.
  private let tables: [UnsafeMutablePointer<UnsafeMutableRawPointer?>]
  private let layout: StateLayout

  init(id: SequenceID, layout: StateLayout) {
    self.id = id
    self.layout = layout
    pages = layout.groups.map { group in
      var pages: [Int] = []
      pages.reserveCapacity(group.pageCountPerSequence)
      return pages
    }
    unsafe tables = layout.groups.map { group in
      let table = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(
        capacity: group.pageCountPerSequence)
      unsafe table.initialize(repeating: nil, count: group.pageCountPerSequence)
      return unsafe table
    }
  }

  deinit { unsafe tables.forEach { table in unsafe table.deallocate() } }

  func append(_ page: Int, memory: ByteView, group: Int) {
    unsafe tables[group][pages[group].count] = memory.pointer
    pages[group].append(page)
  }

  /// Takes the last page of a group off.
  func removeLastPage(group: Int) -> Int {
    let page = pages[group].removeLast()
    unsafe tables[group][pages[group].count] = nil
    return page
  }

  /// One layer's keys and values, as the kernels take them.
  func view(layer: Int) -> KVView {
    guard let location = layout.locations[layer] else {
      preconditionFailure("the layer keeps no positions")
    }
    let group = layout.groups[location.group]
    let attention = location.attention
    return KVView(
      pages: unsafe PageTable(
        tables[location.group], count: group.pageCountPerSequence,
        pageByteCount: group.pageByteStride),
      keyOffset: location.keyOffset, valueOffset: location.valueOffset, type: layout.type,
      headCount: attention.keyValueHeadCount, keyHeadDimension: attention.keyDimension,
      valueHeadDimension: attention.valueDimension, pagePositionCount: group.pagePositionCount,
      ringPageCount: group.ringPageCount, capacity: layout.contextLength)
  }

  /// What one layer keeps however long the text is: of the text's position, or where that of a step
  /// in progress goes. The page is there.
  func state(layer: Int, ofStep: Bool) -> FloatView {
    guard let location = layout.states[layer],
      let page = unsafe tables[location.group][ofStep ? 1 - stateNumber : stateNumber]
    else {
      preconditionFailure("the layer keeps no state, or its page was not taken")
    }
    return unsafe FloatView(
      (page + location.offset).assumingMemoryBound(to: Float.self), count: location.state.count)
  }

  /// Makes every layer's state that of a text that begins.
  func clearStates() {
    for (layer, location) in layout.states.enumerated() where location != nil {
      state(layer: layer, ofStep: false).fill(with: 0)
    }
  }

  /// What a step has made is the state from now on.
  func turnStates() { stateNumber = 1 - stateNumber }

  /// The first position that each of a group's pages still has, where they go round.
  func firstKeptPosition(group number: Int) -> Int {
    let group = layout.groups[number]
    guard let ringPageCount = group.ringPageCount, let window = group.window, writtenCount > 0
    else { return 0 }
    let lastPage = (writtenCount - 1) / group.pagePositionCount
    let inPages = max(0, lastPage - ringPageCount + 1) * group.pagePositionCount
    return max(inPages, restoredCount - window + 1)
  }

  /// Whether the text can go on at a position: nothing that it would see is gone.
  package func canGoOn(at position: Int) -> Bool {
    position <= self.position
      && layout.groups.indices.allSatisfy { number in
        // A state is that of its own position alone.
        if layout.groups[number].isRecurrent { return position == 0 || position == self.position }
        guard let window = layout.groups[number].window else { return true }
        return max(0, position - window + 1) >= firstKeptPosition(group: number)
      }
  }

  /// False where a step that failed has overwritten what the text needs to go on.
  package var isIntact: Bool { canGoOn(at: position) }
}
