/// An expert that a layer may be asked for.
package struct ExpertGuess: Sendable, Equatable {
  package var expert: Int
  /// How likely it is asked for, 0 to 1.
  package var probability: Double

  package init(expert: Int, probability: Double) {
    self.expert = expert
    self.probability = probability
  }
}
