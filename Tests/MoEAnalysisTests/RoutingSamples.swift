import MoEAnalysis
import MoECore

/// Routing for tests: written out, or drawn by seed.
enum RoutingSamples {
  /// The published example: one layer, tokens as pairs of digits.
  static func example() throws -> RoutingSequences {
    try routing("01 01 02 02 12 13 23 23", expertCount: 4)
  }

  /// One layer; each word a token, each digit an expert. Tokens may differ in their number.
  static func routing(
    _ text: String, expertCount: Int, sequenceStarts: [Int] = [0]
  ) throws -> RoutingSequences {
    let tokens = text.split(separator: " ").map { $0.compactMap { Int32(String($0)) } }
    let width = tokens.map(\.count).max() ?? 1
    let experts = tokens.flatMap { $0 + Array(repeating: -1, count: width - $0.count) }
    return try RoutingSequences(
      layerCount: 1, expertCount: expertCount, expertsPerToken: width, experts: experts,
      sequenceStarts: sequenceStarts)
  }

  struct Shape {
    var tokenCount = 40
    var layerCount = 2
    var expertCount = 7
    var expertsPerToken = 2
    var sequenceCount = 3
    /// Whether tokens may take fewer experts than they could.
    var isRagged = false
  }

  /// Experts that partly stay from token to token.
  static func random(seed: UInt64, _ shape: Shape) throws -> RoutingSequences {
    var random = SeededGenerator(seed: seed)
    var experts: [Int32] = []
    var last = [[Int32]](repeating: [], count: shape.layerCount)
    for _ in 0..<shape.tokenCount {
      for layer in 0..<shape.layerCount {
        var chosen = last[layer].filter { $0 >= 0 && random.next() % 3 == 0 }
        while chosen.count < shape.expertsPerToken {
          let expert = Int32(random.next() % UInt64(shape.expertCount))
          if !chosen.contains(expert) { chosen.append(expert) }
        }
        chosen.shuffle(using: &random)
        if shape.isRagged && random.next() % 4 == 0 {
          chosen[Int(random.next() % UInt64(chosen.count))] = -1
        }
        last[layer] = chosen
        experts += chosen
      }
    }
    let starts = (0..<max(1, shape.sequenceCount - 1)).map { _ in
      Int(random.next() % UInt64(shape.tokenCount + 1))
    }
    let labels = (0...starts.count).map { ["prose", "code"][$0 % 2] }
    return try RoutingSequences(
      layerCount: shape.layerCount, expertCount: shape.expertCount,
      expertsPerToken: shape.expertsPerToken, experts: experts,
      sequenceStarts: [0] + starts.sorted(), labels: labels,
      tokenIDs: (0..<shape.tokenCount).map { _ in Int32(random.next() % 5) })
  }

  /// Traces at the edge of what there is.
  static func degenerate() throws -> [String: RoutingSequences] {
    func make(
      _ layers: Int, _ experts: Int, _ perToken: Int, _ choices: [Int32], _ starts: [Int] = [0]
    ) throws -> RoutingSequences {
      try RoutingSequences(
        layerCount: layers, expertCount: experts, expertsPerToken: perToken, experts: choices,
        sequenceStarts: starts,
        tokenIDs: Array(repeating: 7, count: choices.count / layers / perToken))
    }
    return [
      "no token": try make(2, 4, 2, []),
      "one token": try make(2, 4, 2, [0, 1, 2, 3]),
      "one layer": try make(1, 4, 1, [0, 1, 2, 3, 0]),
      "one expert": try make(2, 1, 1, [0, 0, 0, 0, 0, 0]),
      "all experts": try make(1, 3, 3, [0, 1, 2, 2, 1, 0, 1, 0, 2]),
      "empty sequences": try make(1, 3, 1, [0, 1, 2, 0], [0, 0, 2, 2, 4, 4]),
      "no choice": try make(1, 3, 2, [-1, -1, -1, -1]),
      "one choice": try make(1, 3, 2, [-1, -1, 1, -1]),
    ]
  }
}
