import MoECore

/// Finds selections that nobody makes: unknown experts, one of them twice, none at all, gaps
/// between them, weights that are no weights.
struct SelectionCheck {
  private let metadata: RoutingTraceMetadata
  /// (expert): number of the last selection that named it.
  private var lastSelections: [Int]
  private var selectionCount = 0

  init(_ metadata: RoutingTraceMetadata) {
    self.metadata = metadata
    lastSelections = Array(repeating: -1, count: metadata.expertCount)
  }

  /// - Parameters:
  ///   - experts, weights: (token, layer, rank); weights may be empty.
  ///   - logits: (token, layer, expert), or empty.
  /// - Returns: What is wrong with one token's selection in one layer of the trace, as the end of a
  ///   sentence about the file; nil where nothing is.
  mutating func problem(
    token: Int, layer: Int, experts: [Int32], weights: [Float], logits: [Float]
  ) -> String? {
    let selection = token * metadata.layers.count + layer
    let first = selection * metadata.expertsPerToken
    for index in first..<first + metadata.expertsPerToken {
      let expert = Int(experts[index])
      if experts[index] == RoutingTrace.noExpert && index > first {
        guard weights.isEmpty || weights[index] == 0 else {
          return
            "an empty slot of token \(token) in layer \(layer) has the weight \(weights[index])"
        }
        continue
      }
      guard index == first || experts[index - 1] != RoutingTrace.noExpert else {
        return "token \(token) has an empty slot before its last expert in layer \(layer)"
      }
      guard expert >= 0 && expert < metadata.expertCount else {
        return "token \(token) takes expert \(expert) in layer \(layer), but there are "
          + "\(metadata.expertCount)"
      }
      guard lastSelections[expert] != selectionCount else {
        return "token \(token) takes expert \(expert) twice in layer \(layer)"
      }
      lastSelections[expert] = selectionCount
      if !weights.isEmpty && !(weights[index] >= 0 && weights[index].isFinite) {
        return "a weight of token \(token) in layer \(layer) is \(weights[index]), which is no "
          + "weight of an expert"
      }
    }
    selectionCount += 1
    guard !logits.isEmpty else { return nil }
    let row = selection * metadata.expertCount
    if logits[row..<row + metadata.expertCount].contains(where: \.isNaN) {
      return "a logit of token \(token) in layer \(layer) is not a number"
    }
    return nil
  }
}
