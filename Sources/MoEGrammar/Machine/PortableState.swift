/// A state as numbers of nodes alone, so that it outlives the table that it is from.
///
/// For each state that it is made of, those below before those above: whether it has the empty
/// stack, how many frames, and for each how many nodes, these, the count, and the place of what
/// lies below in this list. The last one is the state itself.
struct PortableState: Hashable, Sendable {
  fileprivate(set) var numbers: [Int32]
}

extension StateTable {
  func portable(_ state: Int32) -> PortableState {
    var places: [Int32: Int32] = [:]
    var numbers: [Int32] = []
    // Each state twice: before and after what lies below it.
    var pending = [(state: state, isBelowDone: false)]
    while let (state, isBelowDone) = pending.popLast() {
      if places[state] != nil { continue }
      if !isBelowDone {
        pending.append((state, true))
        for index in 0..<frameCount(state) {
          pending.append((frame(index, of: state).below, false))
        }
        continue
      }
      places[state] = Int32(places.count)
      numbers.append(hasEmptyStack(state) ? 1 : 0)
      numbers.append(Int32(frameCount(state)))
      for index in 0..<frameCount(state) {
        let frame = frame(index, of: state)
        let nodes = nodeSets.sequence(frame.nodeSet)
        numbers.append(Int32(nodes.count))
        numbers += nodes
        numbers += [frame.count, places[frame.below] ?? 0]
      }
    }
    return PortableState(numbers: numbers)
  }

  mutating func state(of portable: PortableState) -> Int32 {
    let numbers = portable.numbers
    var known: [Int32] = []
    var place = 0
    while place < numbers.count {
      let hasEmptyStack = numbers[place] != 0
      let frameCount = Int(numbers[place + 1])
      place += 2
      var entries: [Closure.Entry] = []
      for _ in 0..<frameCount {
        let nodeCount = Int(numbers[place])
        let behind = place + 1 + nodeCount
        let below = known[Int(numbers[behind + 1])]
        for node in numbers[place + 1..<behind] {
          entries.append(
            Closure.Entry(node: node, count: numbers[behind], below: below, next: -1))
        }
        place = behind + 2
      }
      known.append(state(hasEmptyStack: hasEmptyStack, frames(of: &entries)))
    }
    return known.last ?? Self.ended
  }
}
