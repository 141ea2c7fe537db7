/// How much experts keep to tokens of the vocabulary, as "Not All Models Suit Expert Offloading"
/// (arXiv 2505.16056) and its code measure it, and as a coefficient of variation.
package struct VocabularySpecialisation: Sendable {
  /// Which token of the text a choice is attributed to.
  package enum Side: String, Sendable, Encodable {
    /// The token that is routed.
    case input
    /// The one that follows it in the text.
    case output
  }

  package let side: Side
  package let layerCount: Int
  package let expertCount: Int
  /// Kinds of token that occur often enough.
  package let tokenKindCount: Int
  /// (layer, expert): each kind of token belongs to the expert that is first choice for the largest
  /// share of its occurrences; an expert's value is the mean of these shares over its kinds, nil
  /// where it has none.
  package let meanShares: [Double?]
  /// (layer, expert): standard deviation (with n - 1) over mean of the expert's activation rates by
  /// kind of token, all choices counted; nil for an expert that is never used.
  package let variations: [Double?]

  /// Kinds of token that occur less often are left out, as in the paper's code.
  package static let occurrencesMin = 20

  /// - Throws: Where the trace has no token ids.
  package init(
    _ routing: RoutingSequences, side: Side = .input,
    occurrencesMin: Int = VocabularySpecialisation.occurrencesMin
  ) throws(RoutingAnalysisError) {
    guard let tokenIDs = routing.tokenIDs else {
      throw RoutingAnalysisError(
        "the trace has no token ids, so use by vocabulary is unknown: record it anew with them")
    }
    self.side = side
    layerCount = routing.layerCount
    expertCount = routing.expertCount
    let offset = side == .input ? 0 : 1
    var occurrences: [Int32: Int] = [:]
    for tokens in routing.sequences {
      for token in tokens.dropLast(offset) {
        occurrences[tokenIDs[token + offset], default: 0] += 1
      }
    }
    let kinds = occurrences.filter { $0.value >= max(1, occurrencesMin) }.keys.sorted()
    let kindIndices = Dictionary(uniqueKeysWithValues: zip(kinds, kinds.indices))
    tokenKindCount = kinds.count
    try RoutingAnalysisError.checkTable(
      [kinds.count, routing.expertCount], of: "kinds of token and experts")
    var (meanShares, variations) = ([Double?](), [Double?]())
    for layer in 0..<routing.layerCount {
      var table = UseByKind(kindCount: kinds.count, expertCount: routing.expertCount)
      for tokens in routing.sequences {
        for token in tokens.dropLast(offset) {
          guard let kind = kindIndices[tokenIDs[token + offset]] else { continue }
          table.add(routing.selection(token: token, layer: layer), kind: kind)
        }
      }
      meanShares += table.meanShares
      variations += table.variations(kinds.map { occurrences[$0] ?? 0 })
    }
    self.meanShares = meanShares
    self.variations = variations
  }

  /// The mean of an expert's values over all that have one.
  package static func mean(_ values: [Double?]) -> Double? {
    let found = values.compactMap(\.self)
    return found.isEmpty ? nil : found.reduce(0, +) / Double(found.count)
  }
}

/// One layer's uses by kind of token.
private struct UseByKind {
  private let kindCount: Int
  private let expertCount: Int
  /// (kind, expert): choices as the best, and choices at any rank.
  private var firsts: [Int32]
  private var uses: [Int32]

  init(kindCount: Int, expertCount: Int) {
    self.kindCount = kindCount
    self.expertCount = expertCount
    firsts = Array(repeating: 0, count: kindCount * expertCount)
    uses = firsts
  }

  mutating func add(_ selection: ArraySlice<Int32>, kind: Int) {
    var isFirst = true
    for expert in selection where expert >= 0 {
      if isFirst { firsts[kind * expertCount + Int(expert)] += 1 }
      uses[kind * expertCount + Int(expert)] += 1
      isFirst = false
    }
  }

  var meanShares: [Double?] {
    var sums = [Double](repeating: 0, count: expertCount)
    var counts = [Int](repeating: 0, count: expertCount)
    for kind in 0..<kindCount {
      let row = firsts[kind * expertCount..<(kind + 1) * expertCount]
      let total = row.reduce(0, +)
      guard total > 0, let most = row.max(), let place = row.firstIndex(of: most) else { continue }
      sums[place - row.startIndex] += Double(most) / Double(total)
      counts[place - row.startIndex] += 1
    }
    return zip(sums, counts).map { $1 > 0 ? $0 / Double($1) : nil }
  }

  func variations(_ occurrences: [Int]) -> [Double?] {
    (0..<expertCount).map { expert in
      coefficientOfVariation(
        (0..<kindCount).map { Double(uses[$0 * expertCount + expert]) / Double(occurrences[$0]) })
    }
  }
}
