/// A grammar compiled to nodes: what can be read where, byte by byte, and where rules are called.
///
/// Rules are automata that call each other; a stack says where callers go on (the recursive
/// transition networks of Woods 1970). A repetition that is counted keeps its count beside the
/// node, so that `{0,2000}` takes no more nodes than `*`. What a rule calls last takes its place:
/// nothing would be left to do for it.
struct NodeGraph: Sendable {
  enum Node: Sendable {
    /// The end of a rule: on with what called it. Node 0, the same for all rules.
    case accept
    /// Reads a byte: its edges are so many from `first` on.
    case read(first: Int32, count: Int32)
    /// On at any of so many targets from `first` on.
    case split(first: Int32, count: Int32)
    /// Does what a rule says, then goes on at `next`.
    case call(rule: Int32, next: Int32)
    /// Goes on as the rule, and has nothing to do behind it.
    case replace(rule: Int32)
    /// Begins a counted repetition, and counts one more time.
    case enter(loop: Int32)
    case again(loop: Int32)
  }

  struct Edge: Sendable {
    /// Classes of bytes, from the one to the other.
    var first: UInt8
    var last: UInt8
    var target: Int32
  }

  struct Loop: Sendable {
    var min: Int32
    /// -1: without a limit.
    var max: Int32
    var body: Int32
    var exit: Int32
  }

  var nodes: [Node] = []
  var edges: [Edge] = []
  var targets: [Int32] = []
  var loops: [Loop] = []
  /// The loop in which a node is, -1 for none; and its rule.
  var loopOfNode: [Int32] = []
  var ruleOfNode: [Int32] = []
  /// Where each rule begins.
  var starts: [Int32] = []
  var root: Int32 = 0
  var depthMax: Int32 = 0
  /// How many more rules have to be called, one in the other, to come to the end of the node's
  /// rule.
  var needs: [Int32] = []
  /// Whether each rule calls another, or goes on as another.
  var callsOthers: [Bool] = []
  /// What can stand behind each rule.
  var following: [ByteSet] = []
  /// Bytes that no edge tells apart are one class; classes ascend with their bytes.
  var classOfByte: [UInt8] = []
  var classCount = 0

  static let accept: Int32 = 0

  var byteCount: Int {
    nodes.count * (MemoryLayout<Node>.stride + 12) + edges.count * MemoryLayout<Edge>.stride
      + targets.count * 4 + loops.count * MemoryLayout<Loop>.stride
      + starts.count * (4 + MemoryLayout<ByteSet>.stride)
  }

  init(_ grammar: NormalGrammar) throws(GrammarError) {
    var builder = try NodeGraphBuilder(grammar)
    self = try builder.build()
    following = try FollowingBytes(grammar).following
    findClasses()
    findCallers()
    needs = DepthNeeds.needs(of: self)
    if needs[Int(starts[Int(root)])] > depthMax {
      throw GrammarError(
        .impossible, "no text fits that nests less than \(depthMax) deep; make the grammar flatter")
    }
  }

  init() {}

  private mutating func findCallers() {
    callsOthers = Array(repeating: false, count: starts.count)
    for (index, node) in nodes.enumerated() {
      switch node {
      case .call, .replace: callsOthers[Int(ruleOfNode[index])] = true
      default: break
      }
    }
  }

  private mutating func findClasses() {
    var begins = Array(repeating: false, count: 257)
    begins[0] = true
    for edge in edges {
      begins[Int(edge.first)] = true
      begins[Int(edge.last) + 1] = true
    }
    var number = -1
    classOfByte = (0..<256).map { byte in
      if begins[byte] { number += 1 }
      return UInt8(number)
    }
    classCount = number + 1
    for index in edges.indices {
      edges[index].first = classOfByte[Int(edges[index].first)]
      edges[index].last = classOfByte[Int(edges[index].last)]
    }
  }
}
