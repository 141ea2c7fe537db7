extension RoutingSequences {
  /// A part of the sequences, evenly spread over the trace, with at most so many requests; all of
  /// them where they are no more. A sequence that alone is longer is cut at its end. At least one
  /// token is kept.
  package func sampled(requestCountMax: Int) throws(RoutingAnalysisError) -> RoutingSequences {
    let width = layerCount * expertsPerToken
    let tokenCountMax = max(1, requestCountMax / width)
    guard tokenCount > tokenCountMax else { return self }
    // As many sequences as fit if all were of mean length.
    let share = Double(tokenCountMax) / Double(tokenCount)
    let count = max(1, Int(share * Double(sequences.count)))
    var (kept, starts, keptLabels): ([Int32], [Int], [String]) = ([], [], [])
    var ids: [Int32]? = tokenIDs.map { _ in [] }
    var remaining = tokenCountMax
    for number in 0..<count where remaining > 0 {
      let index = number * sequences.count / count
      let tokens = sequences[index].prefix(remaining)
      starts.append(tokenCountMax - remaining)
      keptLabels.append(labels[index])
      kept += experts[tokens.lowerBound * width..<tokens.upperBound * width]
      if let tokenIDs { ids?.append(contentsOf: tokenIDs[tokens]) }
      remaining -= tokens.count
    }
    return try RoutingSequences(
      layerCount: layerCount, expertCount: expertCount, expertsPerToken: expertsPerToken,
      experts: kept, sequenceStarts: starts, labels: keptLabels, tokenIDs: ids)
  }
}
