/// Routing as analysis takes it: which experts each token chose, cut into sequences that have
/// nothing to do with each other.
///
/// Every token takes its experts once; a token of a model that skips experts may take fewer.
package struct RoutingSequences: Sendable {
  package let layerCount: Int
  /// Routed experts of each layer.
  package let expertCount: Int
  /// The most experts that a token takes in a layer.
  package let expertsPerToken: Int
  /// (token, layer, rank), best first; -1 where a token takes fewer.
  package let experts: [Int32]
  /// Tokens of each sequence; ascending, disjoint, none of them empty.
  package let sequences: [Range<Int>]
  /// (sequence): what kind of text it is; "" where nobody said.
  package let labels: [String]
  /// (token): the tokenizer's ids; nil where they were not recorded.
  package let tokenIDs: [Int32]?

  /// Checks what it is given: nothing that comes from a file can make analysis trap later.
  ///
  /// - Parameters:
  ///   - experts: (token, layer, rank), -1 for none.
  ///   - sequenceStarts: First token of each sequence, ascending from 0. Empty sequences are left
  ///     out.
  ///   - labels: (sequence) or empty.
  ///   - tokenIDs: (token) or nil.
  package init(
    layerCount: Int, expertCount: Int, expertsPerToken: Int, experts: [Int32],
    sequenceStarts: [Int] = [0], labels: [String] = [], tokenIDs: [Int32]? = nil
  ) throws(RoutingAnalysisError) {
    guard layerCount > 0, expertCount > 0, expertsPerToken > 0 else {
      throw RoutingAnalysisError(
        "routing of \(layerCount) layers with \(expertsPerToken) of \(expertCount) experts cannot "
          + "be analysed: each must be at least 1")
    }
    let (width, overflow) = layerCount.multipliedReportingOverflow(by: expertsPerToken)
    guard !overflow, experts.count % width == 0 else {
      throw RoutingAnalysisError(
        "\(experts.count) choices do not fill tokens of \(layerCount) layers with "
          + "\(expertsPerToken) experts each: give (token, layer, rank)")
    }
    try RoutingAnalysisError.checkTable([layerCount, expertCount], of: "layers and experts")
    let tokenCount = experts.count / width
    guard tokenIDs == nil || tokenIDs?.count == tokenCount else {
      throw RoutingAnalysisError(
        "\(tokenIDs?.count ?? 0) token ids do not fit \(tokenCount) tokens: give one for each")
    }
    guard labels.isEmpty || labels.count == sequenceStarts.count else {
      throw RoutingAnalysisError(
        "\(labels.count) labels do not fit \(sequenceStarts.count) sequences: give one for each")
    }
    let bounds = sequenceStarts + [tokenCount]
    guard bounds.first == 0, zip(bounds, bounds.dropFirst()).allSatisfy({ $0 <= $1 }) else {
      throw RoutingAnalysisError(
        "sequences must start at token 0 and ascend to at most \(tokenCount): found starts from "
          + "\(sequenceStarts.first ?? tokenCount) to \(sequenceStarts.last ?? tokenCount)")
    }
    try Self.check(experts, expertCount, layerCount: layerCount, expertsPerToken: expertsPerToken)
    self.layerCount = layerCount
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.experts = experts
    self.tokenIDs = tokenIDs
    let filled = sequenceStarts.indices.filter { bounds[$0] < bounds[$0 + 1] }
    sequences = filled.map { bounds[$0]..<bounds[$0 + 1] }
    self.labels = filled.map { labels.isEmpty ? "" : labels[$0] }
  }

  private init(_ whole: RoutingSequences, keeping kept: [Int]) {
    layerCount = whole.layerCount
    expertCount = whole.expertCount
    expertsPerToken = whole.expertsPerToken
    experts = whole.experts
    tokenIDs = whole.tokenIDs
    sequences = kept.map { whole.sequences[$0] }
    labels = kept.map { whole.labels[$0] }
  }

  private static func check(
    _ experts: [Int32], _ expertCount: Int, layerCount: Int, expertsPerToken: Int
  ) throws(RoutingAnalysisError) {
    // By expert: the last choice (one token in one layer) that named it, and one more.
    var lastChoices = [Int](repeating: 0, count: expertCount)
    for (index, expert) in experts.enumerated() where expert != -1 {
      let choice = index / expertsPerToken
      guard expert >= 0, Int(expert) < expertCount else {
        throw RoutingAnalysisError(
          "token \(choice / layerCount) names expert \(expert) in layer \(choice % layerCount): "
            + "experts are 0 to \(expertCount - 1)")
      }
      guard lastChoices[Int(expert)] != choice + 1 else {
        throw RoutingAnalysisError(
          "token \(choice / layerCount) names expert \(expert) twice in layer "
            + "\(choice % layerCount): a token takes an expert once")
      }
      lastChoices[Int(expert)] = choice + 1
    }
  }
}

extension RoutingSequences {
  /// Tokens of all sequences.
  package var tokenCount: Int { sequences.reduce(0) { $0 + $1.count } }

  /// The labels that occur, in the order of their first sequence.
  package var distinctLabels: [String] {
    var seen: Set<String> = []
    return labels.filter { seen.insert($0).inserted }
  }

  /// The sequences of one kind of text: analysis by domain is analysis of these.
  package func labelled(_ label: String) -> RoutingSequences {
    RoutingSequences(self, keeping: labels.indices.filter { labels[$0] == label })
  }

  /// The experts of one token in one layer, best first; -1 among them stands for none.
  package func selection(token: Int, layer: Int) -> ArraySlice<Int32> {
    let first = (token * layerCount + layer) * expertsPerToken
    return experts[first..<first + expertsPerToken]
  }

  /// A trace with its sequences, their labels and the tokens, as far as they were recorded.
  ///
  /// - Parameter expertCount: Experts of each layer; by default as many as the trace says.
  package init(
    _ trace: RoutingTrace, expertCount: Int? = nil
  ) throws(RoutingAnalysisError) {
    try self.init(
      layerCount: trace.layerCount, expertCount: expertCount ?? max(1, trace.expertCount),
      expertsPerToken: trace.expertsPerToken, experts: trace.experts,
      sequenceStarts: trace.sequenceStarts, labels: trace.labels ?? [], tokenIDs: trace.tokenIDs)
  }
}

/// Why routing cannot be analysed as asked: one sentence.
package struct RoutingAnalysisError: Error, Equatable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }

  /// Tables of more numbers than this are not made: a file may claim any size.
  package static let tableCountMax = 1 << 28

  /// Refuses a table with so many numbers along each side.
  static func checkTable(
    _ sides: [Int], of what: String
  ) throws(RoutingAnalysisError) {
    var count = 1
    for side in sides {
      let (product, overflow) = count.multipliedReportingOverflow(by: max(side, 1))
      guard !overflow, product <= tableCountMax else {
        let size = sides.map(String.init).joined(separator: " x ")
        throw RoutingAnalysisError(
          "a table of \(what) (\(size)) is too large: at most \(tableCountMax) numbers are held; "
            + "analyse a part of the trace")
      }
      count = product
    }
  }
}
