/// First in, first out, in storage that is made once.
struct FixedQueue<Element> {
  private var elements: [Element?]
  private var head = 0
  private(set) var count = 0

  init(capacity: Int) { elements = Array(repeating: nil, count: capacity) }

  var isEmpty: Bool { count == 0 }

  /// The queue must not be full: its owner made it large enough for all there can be.
  mutating func append(_ element: Element) {
    precondition(count < elements.count)
    let end = head + count
    elements[end < elements.count ? end : end - elements.count] = element
    count += 1
  }

  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let first = elements[head].take()
    head = head + 1 < elements.count ? head + 1 : 0
    count -= 1
    return first
  }

  mutating func removeAll() { while popFirst() != nil {} }
}
