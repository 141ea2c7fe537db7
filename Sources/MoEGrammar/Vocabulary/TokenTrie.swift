/// Tokens as a tree of their bytes, in one flat array.
///
/// Nodes lie in the order of a walk from the root: behind a node its first child, and `end` is
/// where its subtree is over. So a walk that passes over what isn't allowed reads memory forwards
/// only.
struct TokenTrie: Sendable {
  struct Node: Sendable {
    /// The first node that isn't below this one.
    var end: Int32
    /// Where in `tokens` those of this node begin; they end where the next node's begin, and those
    /// of its subtree where those of `end` begin.
    var firstToken: Int32
    /// Counted from 1.
    var depth: UInt16
    var byte: UInt8
    /// The most bytes below it.
    var heightMax: UInt8
  }

  private(set) var nodes: [Node] = []
  /// Tokens in the order of their bytes.
  let tokens: [Int32]
  /// Whether all tokens are plain text.
  let isPlain: Bool
  private(set) var depthMax = 0

  /// - Parameters:
  ///   - tokens: In the order of their bytes; none is empty.
  ///   - bytes: The bytes of a token.
  init(_ tokens: [Int32], isPlain: Bool, bytes: (Int32) -> ArraySlice<UInt8>) {
    self.tokens = tokens
    self.isPlain = isPlain
    var path: [Int32] = []
    var last: ArraySlice<UInt8> = []
    for (index, token) in tokens.enumerated() {
      let text = bytes(token)
      var common = 0
      while common < min(last.count, text.count),
        last[last.startIndex + common] == text[text.startIndex + common]
      {
        common += 1
      }
      while path.count > common { finish(path.removeLast(), parent: path.last) }
      for place in common..<text.count {
        path.append(Int32(nodes.count))
        // Nodes on the way to the text's last one have no tokens of their own before it.
        nodes.append(
          Node(
            end: 0, firstToken: Int32(index), depth: UInt16(place + 1),
            byte: text[text.startIndex + place], heightMax: 0))
      }
      depthMax = max(depthMax, text.count)
      last = text
    }
    while let place = path.popLast() { finish(place, parent: path.last) }
    // A last node for where the tokens of the one before it end.
    nodes.append(
      Node(
        end: Int32(nodes.count + 1), firstToken: Int32(tokens.count), depth: 0, byte: 0,
        heightMax: 0))
  }

  /// When a node has no more children.
  private mutating func finish(_ place: Int32, parent: Int32?) {
    nodes[Int(place)].end = Int32(nodes.count)
    guard let parent else { return }
    let height = UInt8(clamping: Int(nodes[Int(place)].heightMax) + 1)
    nodes[Int(parent)].heightMax = max(nodes[Int(parent)].heightMax, height)
  }

  var nodeCount: Int { nodes.count - 1 }

  var byteCount: Int { nodes.count * MemoryLayout<Node>.stride + tokens.count * 4 }
}
