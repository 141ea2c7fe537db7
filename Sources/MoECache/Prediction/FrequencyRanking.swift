import MoECore

/// Each layer's experts in the order of their decayed counts, kept up to date use by use: a use
/// raises one count and lowers none.
struct FrequencyRanking: Sendable {
  private let geometry: CacheGeometry
  private var counts: DecayedCounts
  /// (layer, rank): experts by ordinal, most used first, and (expert ordinal) where each is.
  private var ranked: [Int32]
  private var places: [Int32]

  init(geometry: CacheGeometry, halfLife: Double) {
    self.geometry = geometry
    counts = DecayedCounts(expertCount: geometry.expertCount, halfLife: halfLife)
    ranked = (0..<Int32(geometry.expertCount)).map(\.self)
    places = ranked
  }

  mutating func add(_ use: ExpertUse) {
    counts.add(use)
    let first = geometry.ordinals(of: use.layer).lowerBound
    let count = counts.logarithms[use.ordinal]
    var place = Int(places[use.ordinal])
    while place > first, counts.logarithms[Int(ranked[place - 1])] < count {
      move(ranked[place - 1], to: place)
      place -= 1
    }
    move(Int32(use.ordinal), to: place)
  }

  private mutating func move(_ ordinal: Int32, to place: Int) {
    ranked[place] = ordinal
    places[Int(ordinal)] = Int32(place)
  }

  /// How many experts of its layer were used more than one of them.
  func betterCount(_ ordinal: Int, layer: Int) -> Int {
    let first = geometry.ordinals(of: layer).lowerBound
    let count = counts.logarithms[ordinal]
    var end = Int(places[ordinal])
    while end > first, !isMore(ranked[end - 1], than: count) { end -= 1 }
    return end - first
  }

  /// Sets, for each expert of the layer from `isTop[start]` on, whether it is among so many that
  /// were used most. Of even ones those with the smallest indices are.
  func writeTop(_ topCount: Int, layer: Int, to isTop: inout [Bool], from start: Int) {
    let ordinals = geometry.ordinals(of: layer)
    let first = ordinals.lowerBound
    for index in 0..<ordinals.count { isTop[start + index] = false }
    guard topCount > 0 else { return }
    let end = min(first + topCount, ordinals.upperBound)
    let least = counts.logarithms[Int(ranked[end - 1])]
    for place in first..<end { isTop[start + Int(ranked[place]) - first] = true }
    guard end < ordinals.upperBound, isAsMuch(ranked[end], as: least) else { return }
    // Which of the even ones stand before the end depends on the order of their uses.
    var count = 0
    for place in first..<end {
      let isSure = isMore(ranked[place], than: least)
      isTop[start + Int(ranked[place]) - first] = isSure
      if isSure { count += 1 }
    }
    for index in 0..<ordinals.count where count < topCount {
      if !isTop[start + index], isAsMuch(Int32(first + index), as: least) {
        isTop[start + index] = true
        count += 1
      }
    }
  }

  private func isMore(_ ordinal: Int32, than count: Double) -> Bool {
    counts.logarithms[Int(ordinal)] > count + DecayedCounts.tolerance
  }

  private func isAsMuch(_ ordinal: Int32, as count: Double) -> Bool {
    counts.logarithms[Int(ordinal)] >= count - DecayedCounts.tolerance
  }
}
