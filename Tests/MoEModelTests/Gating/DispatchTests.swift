import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import Testing

/// Tokens go to experts in groups of exactly as many as take each: the *dynamic gating* of "Towards
/// MoE Deployment" (arXiv 2303.06182), against dispatch with a fixed capacity for each expert.
@Suite struct DispatchTests {
  /// A grouping as arrays.
  private struct Grouped {
    var experts: [Int]
    var counts: [Int]
    /// Token numbers and weights, expert by expert.
    var tokens: [Int]
    var weights: [Float]

    /// - Parameter choices: (token): experts, at most `expertsPerToken` of them.
    init(
      _ choices: [[Int]], weights values: [[Float]], expertCount: Int, expertsPerToken: Int
    )
      throws
    {
      let size = choices.count * expertsPerToken
      let memory = try RoutedMemory(floatCount: 2 * size, indexCount: 2 * size)
      defer { withExtendedLifetime(memory) {} }
      let chosen = memory.indices.slice(0, count: size)
      let tokenNumbers = memory.indices.slice(size, count: size)
      let weightView = memory.floats.slice(0, count: size)
      let groupedWeights = memory.floats.slice(size, count: size)
      for token in choices.indices {
        for rank in 0..<expertsPerToken {
          let isThere = rank < choices[token].count
          chosen[token * expertsPerToken + rank] =
            isThere ? UInt32(choices[token][rank]) : .max
          weightView[token * expertsPerToken + rank] = isThere ? values[token][rank] : 0
        }
      }
      var grouping = ExpertGrouping(expertCountMax: expertCount)
      grouping.group(
        Selection(
          tokenCount: choices.count, expertsPerToken: expertsPerToken, experts: chosen,
          weights: weightView, expertStride: expertsPerToken, weightStride: expertsPerToken),
        expertCount: expertCount, tokens: tokenNumbers, weights: groupedWeights)
      experts = grouping.requests.map(\.expert)
      counts = grouping.requests.map(\.tokenCount)
      let total = counts.reduce(0, +)
      tokens = tokenNumbers.array().prefix(total).map(Int.init)
      weights = Array(groupedWeights.array().prefix(total))
      let starts = grouping.starts
      precondition(zip(starts, starts.dropFirst()).map { $1 - $0 } == counts)
    }
  }

  /// Assignments [2, 0, 0, 2, 0, 1] of three experts.
  @Test func groupsAreASortByExpertThatKeepsTheOrderOfTokens() throws {
    let grouped = try Grouped(
      [[2], [0], [0], [2], [0], [1]], weights: Array(repeating: [1], count: 6), expertCount: 3,
      expertsPerToken: 1)
    #expect(grouped.tokens == [1, 2, 4, 5, 0, 3])
    #expect(grouped.experts == [0, 1, 2] && grouped.counts == [3, 1, 2])
  }

  private struct Layer {
    var choices: [[Int]] = []
    var weights: [[Float]] = []
    /// (token, element) and (expert, element, element)
    var inputs: [[Double]] = []
    var matrices: [[[Double]]] = []

    /// Skewed: low experts are far more popular. Tokens may take fewer than k.
    init(_ random: inout SeededGenerator, tokenCount: Int, expertCount: Int, expertsPerToken: Int) {
      let size = 3
      for _ in 0..<tokenCount {
        var chosen: [Int] = []
        for _ in 0..<Int.random(in: 1...expertsPerToken, using: &random) {
          let expert = Int(random.nextUnit() * random.nextUnit() * Double(expertCount))
          if !chosen.contains(expert) { chosen.append(expert) }
        }
        choices.append(chosen)
        weights.append(chosen.map { _ in Float(random.nextUnit()) })
        inputs.append((0..<size).map { _ in random.nextUnit() - 0.5 })
      }
      matrices = (0..<expertCount).map { _ in
        (0..<size).map { _ in (0..<size).map { _ in random.nextUnit() - 0.5 } }
      }
    }

    func expert(_ expert: Int, _ token: Int) -> [Double] {
      matrices[expert].map { row in zip(row, inputs[token]).reduce(0) { $0 + $1.0 * $1.1 } }
    }

    /// Dispatch masks (expert, slot) of a fixed capacity: the first tokens get the slots, later
    /// ones are dropped, and every slot is computed.
    func padded(
      capacity: Int
    ) -> (output: [[Double]], computedRowCount: Int, droppedCount: Int) {
      var slots = matrices.map { _ in [Int?](repeating: nil, count: capacity) }
      var droppedCount = 0
      for token in choices.indices {
        for expert in choices[token] {
          if let free = slots[expert].firstIndex(where: { $0 == nil }) {
            slots[expert][free] = token
          } else {
            droppedCount += 1
          }
        }
      }
      var output = inputs.map { $0.map { _ in 0.0 } }
      for (number, slots) in slots.enumerated() {
        for case let token? in slots {
          guard let rank = choices[token].firstIndex(of: number) else { continue }
          for (element, value) in expert(number, token).enumerated() {
            output[token][element] += Double(weights[token][rank]) * value
          }
        }
      }
      return (output, matrices.count * capacity, droppedCount)
    }
  }

  @Test func exactGroupsDropNothingAndComputeNoPadding() throws {
    var (dropped, computed, exact) = (0, 0, 0)
    for seed in 0..<100 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let (tokenCount, expertCount, k) = (24, 8, 3)
      let layer = Layer(
        &random, tokenCount: tokenCount, expertCount: expertCount, expertsPerToken: k)
      let grouped = try Grouped(
        layer.choices, weights: layer.weights, expertCount: expertCount, expertsPerToken: k)
      var output = layer.inputs.map { $0.map { _ in 0.0 } }
      var row = 0
      for (expert, count) in zip(grouped.experts, grouped.counts) {
        for _ in 0..<count {
          let token = grouped.tokens[row]
          for (element, value) in layer.expert(expert, token).enumerated() {
            output[token][element] += Double(grouped.weights[row]) * value
          }
          row += 1
        }
      }
      let assignmentCount = layer.choices.reduce(0) { $0 + $1.count }
      #expect(row == assignmentCount, "seed \(seed)")
      // With room for the fullest expert nothing is dropped: the same sums in the same order.
      let whole = layer.padded(capacity: grouped.counts.max() ?? 0)
      #expect(whole.droppedCount == 0 && output == whole.output, "seed \(seed)")
      #expect(whole.computedRowCount >= row)
      // With room for an even share the reference drops, and still computes as many rows.
      let tight = layer.padded(capacity: (assignmentCount + expertCount - 1) / expertCount)
      #expect(tight.droppedCount == 0 || tight.output != output, "seed \(seed)")
      dropped += tight.droppedCount
      computed += whole.computedRowCount
      exact += row
    }
    #expect(dropped > 0, "otherwise the limit would have shown nothing")
    #expect(computed > 2 * exact, "padding is what exact groups save")
  }
}
