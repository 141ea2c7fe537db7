/// A token and what is added to its logit, as people write it: `15043+1`, `15043-inf`.
package struct TokenBias: Sendable, Equatable {
  package let token: Int32
  package let bias: Float

  /// What a bias looks like, for messages.
  package static let wanted = "a token's number and what is added, such as 15043+1 or 15043-inf"

  /// Nil where the text is none, or would make a token certain.
  package init?(parsing text: String) {
    guard let sign = text.dropFirst().firstIndex(where: { $0 == "+" || $0 == "-" }),
      let token = Int32(text[..<sign]), token >= 0, let bias = Float(text[sign...]),
      bias < .infinity
    else { return nil }
    self.token = token
    self.bias = bias
  }
}
