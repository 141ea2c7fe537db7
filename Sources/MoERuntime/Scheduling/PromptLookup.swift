/// Guesses what comes next from what came before: where the text's last tokens stood already, it
/// may go on as it did there (prompt lookup decoding; n-gram speculation).
///
/// A guess costs nothing to make. Verifying it costs a longer step, in which more experts are used;
/// so its length is the one with which tokens came fastest so far.
package struct PromptLookup {
  /// Tokens that must agree, the longest first.
  private static let gramLengths = [4, 3, 2]

  private let countMax: Int
  /// By the length of the gram: where the token after it stands.
  private var places: [[UInt64: Int]]
  /// Tokens of the text that are in `places`.
  private var indexedCount = 0
  private var pace: DraftPace
  private var acceptedCount = 0

  package init(countMax: Int) {
    precondition(countMax > 0)
    self.countMax = countMax
    places = Self.gramLengths.map { _ in [:] }
    pace = DraftPace(lengthMax: countMax)
  }

  /// Tokens that may follow a text, which has only grown since it was last given.
  package mutating func draft(after text: [Int32], countMax limit: Int) -> [Int32] {
    // The gram at the end itself must find an earlier place.
    while indexedCount < text.count {
      for (index, length) in Self.gramLengths.enumerated() where indexedCount >= length {
        places[index][Self.key(text, end: indexedCount, length)] = indexedCount
      }
      indexedCount += 1
    }
    acceptedCount = 0
    let count = min(limit, countMax, pace.length)
    guard count > 0 else { return [] }
    for (index, length) in Self.gramLengths.enumerated() where text.count >= length {
      guard let place = places[index][Self.key(text, end: text.count, length)] else { continue }
      return Array(text[place..<min(place + count, text.count)])
    }
    return []
  }

  package mutating func countAccepted() { acceptedCount += 1 }

  /// A step of the text alone has verified a guess, or had none.
  package mutating func didVerify(draftCount: Int, seconds: Double) {
    pace.didVerify(draftCount: draftCount, acceptedCount: acceptedCount, seconds: seconds)
  }

  /// Tokens before `end` as one number. Two grams may share it: the guess is then wrong, no more.
  private static func key(_ text: [Int32], end: Int, _ length: Int) -> UInt64 {
    text[end - length..<end].reduce(UInt64(length)) {
      ($0 ^ UInt64(UInt32(bitPattern: $1))) &* 0x9E37_79B9_7F4A_7C15
    }
  }
}

/// How long drafts should be: as long as the most tokens per second were made.
package struct DraftPace {
  /// Lengths that are tried.
  private let lengths: [Int]
  /// (number of the length): mean seconds of a step with drafts of about that length; nil: none
  /// yet.
  private var seconds: [Double?]
  /// How often a drafted token was right, while those before it were.
  private var acceptance = 0.5
  private var stepCount = 0

  /// How much a new figure counts, and after how many steps without drafts they are tried again.
  private static let (weight, trialPeriod) = (0.2, 64)

  package init(lengthMax: Int) {
    lengths = [0] + [1, 2, 4, 8, 16].filter { $0 < lengthMax } + [lengthMax]
    seconds = lengths.map { _ in nil }
  }

  /// The length that promises the most tokens per second; one that was not tried promises to cost
  /// what the next shorter one does.
  package var length: Int {
    guard seconds[0] != nil else { return 0 }
    if stepCount >= Self.trialPeriod { return lengths[1] }
    var (best, bestRate) = (0, 0.0)
    var known = 0.0
    for (number, length) in lengths.enumerated() {
      let isNew = seconds[number] == nil
      known = max(known, seconds[number] ?? known)
      let rate = expectedCount(length) / known
      if rate > bestRate { (best, bestRate) = (length, rate) }
      // One step further at a time.
      if isNew { break }
    }
    return best
  }

  /// Tokens that a step with a draft makes on average.
  private func expectedCount(_ length: Int) -> Double {
    (0..<length).reduce((sum: 1.0, factor: 1.0)) { state, _ in
      (state.sum + state.factor * acceptance, state.factor * acceptance)
    }.sum
  }

  package mutating func didVerify(draftCount: Int, acceptedCount: Int, seconds time: Double) {
    stepCount = draftCount == 0 ? stepCount + 1 : 0
    // A draft that the text's end has cut counts as one of the next shorter length.
    guard let number = lengths.lastIndex(where: { $0 <= draftCount }) else { return }
    seconds[number] = seconds[number].map { $0 + Self.weight * (time - $0) } ?? time
    for place in 0..<min(draftCount, acceptedCount + 1) {
      acceptance += Self.weight * ((place < acceptedCount ? 1 : 0) - acceptance)
    }
  }
}
