/// One expert that a step wants of a layer, for all rows that take it.
package struct ExpertRequest: Sendable, Equatable {
  /// The expert's index in its layer.
  package var expert: Int
  /// Number, within the step, of the last row that uses it.
  package var lastToken: Int
  /// Its place in that row's selection, 0 for the best.
  package var rank: Int
  /// How many of the step's rows use it.
  package var tokenCount: Int
  /// Whether these rows take the expert's copy in fewer bits.
  package var isLow: Bool

  package init(
    expert: Int, lastToken: Int, rank: Int, tokenCount: Int, isLow: Bool = false
  ) {
    self.isLow = isLow
    self.expert = expert
    self.lastToken = lastToken
    self.rank = rank
    self.tokenCount = tokenCount
  }
}
