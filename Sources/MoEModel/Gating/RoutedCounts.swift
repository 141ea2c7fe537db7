package import MoECore

/// How many experts tokens took, by phase. Differences of two values give what happened in between.
package struct RoutedCounts: Sendable, Equatable {
  package struct Counts: Sendable, Equatable {
    /// One for each token and layer.
    package var selectionCount = 0
    package var expertCount = 0

    package init() {}

    /// Experts of a token in a layer; nil where none was routed.
    package var meanExpertCount: Double? {
      selectionCount > 0 ? Double(expertCount) / Double(selectionCount) : nil
    }

    package static func - (left: Counts, right: Counts) -> Counts {
      var counts = Counts()
      counts.selectionCount = left.selectionCount - right.selectionCount
      counts.expertCount = left.expertCount - right.expertCount
      return counts
    }

    package static func + (left: Counts, right: Counts) -> Counts {
      var counts = Counts()
      counts.selectionCount = left.selectionCount + right.selectionCount
      counts.expertCount = left.expertCount + right.expertCount
      return counts
    }
  }

  package var prefill = Counts()
  package var decode = Counts()

  package init() {}

  package subscript(phase: InferencePhase) -> Counts {
    get { phase == .prefill ? prefill : decode }
    set { if phase == .prefill { prefill = newValue } else { decode = newValue } }
  }

  package static func + (left: RoutedCounts, right: RoutedCounts) -> RoutedCounts {
    var counts = RoutedCounts()
    counts.prefill = left.prefill + right.prefill
    counts.decode = left.decode + right.decode
    return counts
  }

  package static func - (left: RoutedCounts, right: RoutedCounts) -> RoutedCounts {
    var counts = RoutedCounts()
    counts.prefill = left.prefill - right.prefill
    counts.decode = left.decode - right.decode
    return counts
  }
}
