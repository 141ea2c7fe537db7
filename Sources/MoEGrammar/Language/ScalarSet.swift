/// A set of Unicode scalars: ranges in ascending order, with gaps between them.
///
/// Surrogates, which are no scalars, are never in it.
package struct ScalarSet: Hashable, Sendable {
  package private(set) var ranges: [ClosedRange<UInt32>] = []

  package static let empty = ScalarSet([])
  package static let all = ScalarSet([0...0x10FFFF])

  /// Ranges in any order, overlapping or not.
  package init(_ ranges: [ClosedRange<UInt32>]) {
    let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
    for range in sorted.flatMap(Self.withoutSurrogates) {
      if let last = self.ranges.last, Self.touches(last, range) {
        let end = max(last.upperBound, range.upperBound)
        self.ranges[self.ranges.count - 1] = last.lowerBound...end
      } else {
        self.ranges.append(range)
      }
    }
  }

  package init(_ scalar: Unicode.Scalar) { self.init([scalar.value...scalar.value]) }

  package init(_ text: String) { self.init(text.unicodeScalars.map { $0.value...$0.value }) }

  package var isEmpty: Bool { ranges.isEmpty }

  package func contains(_ scalar: UInt32) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].lowerBound <= scalar
  }

  package func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

  package var complement: ScalarSet {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
      next = range.upperBound + 1
    }
    if next <= 0x10FFFF { result.append(next...0x10FFFF) }
    return ScalarSet(result)
  }

  package func intersection(_ other: ScalarSet) -> ScalarSet {
    var result: [ClosedRange<UInt32>] = []
    var (index, otherIndex) = (0, 0)
    while index < ranges.count && otherIndex < other.ranges.count {
      let (range, otherRange) = (ranges[index], other.ranges[otherIndex])
      if range.overlaps(otherRange) { result.append(range.clamped(to: otherRange)) }
      if range.upperBound < otherRange.upperBound { index += 1 } else { otherIndex += 1 }
    }
    return ScalarSet(result)
  }

  package func subtracting(_ other: ScalarSet) -> ScalarSet { intersection(other.complement) }

  /// Whether two ranges in order overlap or follow each other without a gap. Ranges around the
  /// surrogates don't: they are told apart when they are made.
  private static func touches(_ first: ClosedRange<UInt32>, _ second: ClosedRange<UInt32>) -> Bool {
    second.lowerBound <= first.upperBound || second.lowerBound - first.upperBound == 1
  }

  private static func withoutSurrogates(_ range: ClosedRange<UInt32>) -> [ClosedRange<UInt32>] {
    guard range.overlaps(0xD800...0xDFFF) else { return [range] }
    var parts: [ClosedRange<UInt32>] = []
    if range.lowerBound < 0xD800 { parts.append(range.lowerBound...0xD7FF) }
    if range.upperBound > 0xDFFF { parts.append(0xE000...range.upperBound) }
    return parts
  }
}
