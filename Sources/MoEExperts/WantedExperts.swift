import MoECache

/// The experts of a layer that are predicted, in the order in which they are to be prefetched.
struct WantedExperts {
  private(set) var layer = 0
  private var guesses: [ExpertGuess] = []
  private var position = 0
  /// Number of the first prefetch made for them; what was prefetched before may give way.
  private(set) var firstNumber = 0
  /// Bytes of the guesses so far that had to be read.
  var byteCount = 0

  var next: ExpertGuess? { position < guesses.count ? guesses[position] : nil }

  mutating func begin(layer: Int, guesses: [ExpertGuess], number: Int) {
    self.layer = layer
    self.guesses.removeAll(keepingCapacity: true)
    self.guesses.append(contentsOf: guesses)
    position = 0
    firstNumber = number
    byteCount = 0
  }

  mutating func advance() { position += 1 }

  /// No more of them is read.
  mutating func end() { position = guesses.count }

  /// Forgets them, and says how many there were and how many of them are right.
  mutating func close(
    layer: Int, isRight: (_ expert: Int) -> Bool
  ) -> (count: Int, rightCount: Int) {
    defer {
      guesses.removeAll(keepingCapacity: true)
      position = 0
    }
    guard layer == self.layer else { return (0, 0) }
    return (guesses.count, guesses.count { isRight($0.expert) })
  }
}
