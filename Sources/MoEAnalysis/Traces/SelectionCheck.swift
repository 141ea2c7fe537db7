import MoECore

/// Finds selections that no router makes: unknown experts, one of them twice, weights that are no
/// weights.
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
