/// Decides which request of a batch begins next.
///
/// Requests whose prompts begin alike are a *family* and follow each other, so that what one of
/// them has read is copied for the next: the first of a family that begins is waited for by the
/// others until it has read its prompt. Families stand in an order from long prompts with short
/// answers to short prompts with long answers, and requests are taken from both ends so that what
/// has begun has about the mix of the whole batch: then reading prompts, which computes, runs
/// beside writing answers, which waits for memory and disk. Both as BlendServe has it
/// (arXiv 2411.16102), with two ends for its tree.
package struct BatchPlanner: Sendable {
  package struct Item: Sendable, Equatable {
    /// What the caller knows it by.
    package var tag: Int32
    /// Tokens of its prompts.
    package var promptTokenCount: Int32
    /// Tokens of its answers at most.
    package var answerTokenCount: Int32
    package var sketch: PrefixSketch
    fileprivate var family: Int32 = 0
    /// Of its family: tokens to be read for each to be written.
    fileprivate var density: Float = 0

    package init(
      tag: Int, promptTokenCount: Int, answerTokenCount: Int, sketch: PrefixSketch
    ) {
      self.tag = Int32(clamping: tag)
      self.promptTokenCount = Int32(clamping: promptTokenCount)
      self.answerTokenCount = Int32(clamping: answerTokenCount)
      self.sketch = sketch
    }
  }

  /// What the others of a family do.
  private enum Gate: Sendable, Equatable {
    /// They wait until this one has read its prompt.
    case reading(Int)
    case open
  }

  /// Less in common is not worth waiting for.
  private static let sharedTokenCountMin = 32

  private var items: [Item]
  private var order: [Int32]
  private var count = 0
  /// Places in the order of those that have not begun.
  private var low = 0
  private var high = -1
  /// (family): of those at the two ends.
  private var gates: [Int32: Gate] = [:]
  /// Tokens to read and to write of those that have begun, and of all.
  private var begun = (prompt: 0.0, answer: 0.0)
  private var whole = (prompt: 0.0, answer: 0.0)

  /// - Parameter capacity: Requests at most; all memory is taken now.
  package init(capacity: Int) {
    items = Array(
      repeating: Item(
        tag: 0, promptTokenCount: 0, answerTokenCount: 0, sketch: PrefixSketch()),
      count: capacity)
    order = (0..<Int32(capacity)).map { $0 }
  }

  /// Before `arrange`.
  package mutating func append(_ item: Item) {
    precondition(high < 0 && count < items.count)
    items[count] = item
    count += 1
  }

  package var waitingCount: Int { high - low + 1 }

  /// A request by its number.
  package func item(_ number: Int) -> Item { items[number] }

  /// Puts all requests in order, once.
  package mutating func arrange() {
    order[..<count].sort { [items] left, right in
      let (first, second) = (items[Int(left)], items[Int(right)])
      if let precedes = first.sketch.precedes(second.sketch) { return precedes }
      return left < right
    }
    makeFamilies()
    order[..<count].sort { [items] left, right in
      let (first, second) = (items[Int(left)], items[Int(right)])
      if first.density != second.density { return first.density > second.density }
      if first.family != second.family { return first.family < second.family }
      if let precedes = first.sketch.precedes(second.sketch) { return precedes }
      return left < right
    }
    (low, high) = (0, count - 1)
    for item in items[..<count] {
      whole.prompt += Double(item.promptTokenCount)
      whole.answer += Double(item.answerTokenCount)
    }
  }

  /// Numbers families along the order: neighbors are of one where a quarter of the longer prompt
  /// is the same.
  private mutating func makeFamilies() {
    var start = 0
    while start < count {
      let family = Int32(start)
      var (end, prompt, answer) = (start, 0.0, 0.0)
      repeat {
        let item = items[Int(order[end])]
        prompt += Double(item.promptTokenCount) - Double(sharedTokenCount(before: end, from: start))
        answer += Double(item.answerTokenCount)
        end += 1
      } while end < count && sharedTokenCount(before: end, from: start) > 0
      let density = Float(prompt / max(1, answer))
      for place in start..<end {
        items[Int(order[place])].family = family
        items[Int(order[place])].density = density
      }
      start = end
    }
  }

  /// What a place's prompt has in common with the one before, where that makes them a family.
  private func sharedTokenCount(before place: Int, from start: Int) -> Int {
    guard place > start else { return 0 }
    let (before, item) = (items[Int(order[place - 1])], items[Int(order[place])])
    let shared = item.sketch.sharedTokenCount(with: before.sketch)
    let longer = max(item.promptTokenCount, before.promptTokenCount)
    return shared >= Self.sharedTokenCountMin && 4 * shared >= Int(longer) ? shared : 0
  }

  /// The number of the request that begins now; nil where none is left, or all that might must
  /// wait for others of their family.
  package mutating func next() -> Int? {
    guard low <= high else { return nil }
    let wantsPrompts = begun.prompt * whole.answer <= begun.answer * whole.prompt
    for takesLow in wantsPrompts ? [true, false] : [false, true] {
      let number = Int(order[takesLow ? low : high])
      guard mayBegin(number, at: takesLow ? low : high) else { continue }
      if takesLow { low += 1 } else { high -= 1 }
      begun.prompt += Double(items[number].promptTokenCount)
      begun.answer += Double(items[number].answerTokenCount)
      return number
    }
    return nil
  }

  private mutating func mayBegin(_ number: Int, at place: Int) -> Bool {
    let family = items[number].family
    switch gates[family] {
    case .reading: return false
    case .open: return true
    case nil:
      forgetFamilies()
      // One without others waiting keeps nobody waiting.
      let hasOthers = [place - 1, place + 1].contains { other in
        (low...high).contains(other) && items[Int(order[other])].family == family
      }
      gates[family] = hasOthers ? .reading(number) : .open
      return true
    }
  }

  /// Families of which all have begun.
  private mutating func forgetFamilies() {
    let ends = [items[Int(order[low])].family, items[Int(order[high])].family]
    gates = gates.filter { ends.contains($0.key) }
  }

  /// A request has read its prompt: those that begin alike need not.
  package mutating func didReadPrompt(_ number: Int) {
    let family = items[number].family
    if gates[family] == .reading(number) { gates[family] = .open }
  }

  /// A request has ended; where it had not read its prompt, another of its family is the first.
  package mutating func didEnd(_ number: Int) {
    let family = items[number].family
    if gates[family] == .reading(number) { gates[family] = nil }
  }
}
