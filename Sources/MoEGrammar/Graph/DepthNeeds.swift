/// How many calls, one in the other, the shortest way to the end of a rule takes from each node.
///
/// A text may go deeper only where it can still come back within the depth that is allowed; so the
/// limit never leaves it at a place from which there is no way on. Found from the ends backwards,
/// in ascending order (Knuth 1977, "A generalization of Dijkstra's algorithm").
enum DepthNeeds {
  /// More than `depthMax` where no way is shallow enough.
  static func needs(of graph: NodeGraph) -> [Int32] {
    let tooDeep = graph.depthMax + 1
    var needs = Array(repeating: tooDeep, count: graph.nodes.count)
    let users = Users(graph)
    var levels: [[Int32]] = Array(repeating: [], count: Int(tooDeep) + 1)
    levels[0] = [NodeGraph.accept]
    needs[0] = 0
    for level in 0..<Int(tooDeep) {
      while let node = levels[level].popLast() {
        if needs[Int(node)] < level { continue }
        for user in users.users(of: node) {
          let need = self.need(of: user, at: Int32(level), graph, needs)
          if need < needs[Int(user)] {
            needs[Int(user)] = need
            levels[Int(need)].append(user)
          }
        }
      }
    }
    return needs
  }

  /// A node's need once one of those that it depends on is known: `level`, the least of them.
  private static func need(
    of node: Int32, at level: Int32, _ graph: NodeGraph, _ needs: [Int32]
  ) -> Int32 {
    switch graph.nodes[Int(node)] {
    case .accept: return 0
    // Where a loop is entered its body is found shallow enough, so that going on is its exit.
    case .read, .split, .replace, .again: return level
    case .call(let rule, let next):
      let start = needs[Int(graph.starts[Int(rule)])]
      return min(max(start + 1, needs[Int(next)]), graph.depthMax + 1)
    case .enter(let number):
      let loop = graph.loops[Int(number)]
      let exit = needs[Int(loop.exit)]
      return loop.min > 0 ? max(needs[Int(loop.body)], exit) : exit
    }
  }

  /// The nodes whose need depends on a node's.
  private struct Users {
    private var starts: [Int32]
    private var users: [Int32]

    init(_ graph: NodeGraph) {
      var counts = Array(repeating: Int32(0), count: graph.nodes.count + 1)
      for node in graph.nodes.indices {
        Self.forEachSource(of: Int32(node), graph) { counts[Int($0)] += 1 }
      }
      var sum: Int32 = 0
      for index in counts.indices { (counts[index], sum) = (sum, sum + counts[index]) }
      starts = counts
      users = Array(repeating: 0, count: Int(sum))
      for node in graph.nodes.indices {
        Self.forEachSource(of: Int32(node), graph) {
          users[Int(counts[Int($0)])] = Int32(node)
          counts[Int($0)] += 1
        }
      }
    }

    func users(of node: Int32) -> ArraySlice<Int32> {
      users[Int(starts[Int(node)])..<Int(starts[Int(node) + 1])]
    }

    private static func forEachSource(
      of node: Int32, _ graph: NodeGraph, _ visit: (Int32) -> Void
    ) {
      switch graph.nodes[Int(node)] {
      case .accept: break
      case .read(let first, let count):
        for edge in graph.edges[Int(first)..<Int(first + count)] { visit(edge.target) }
      case .split(let first, let count):
        for target in graph.targets[Int(first)..<Int(first + count)] { visit(target) }
      case .call(let rule, let next):
        visit(graph.starts[Int(rule)])
        visit(next)
      case .replace(let rule): visit(graph.starts[Int(rule)])
      case .enter(let loop):
        visit(graph.loops[Int(loop)].body)
        visit(graph.loops[Int(loop)].exit)
      case .again(let loop): visit(graph.loops[Int(loop)].exit)
      }
    }
  }
}
