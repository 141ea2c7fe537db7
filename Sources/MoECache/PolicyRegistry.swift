/// An eviction policy that can be chosen by name: it knows what has happened, not what will.
package struct PolicyEntry: Sendable {
  package let name: String
  /// One line for `--help`.
  package let summary: String
  /// The part of an even division of the slots that each layer keeps by default, 0 to 1.
  package let floorShare: Double
  /// What the policy's notes take beyond some bytes for each expert and slot.
  package let noteByteCount: @Sendable (CacheGeometry) -> Int
  /// A policy for an empty cache of the given shape.
  package let make: @Sendable (CacheGeometry) -> any EvictionPolicy

  init(
    name: String, summary: String, floorShare: Double = 1,
    noteByteCount: @escaping @Sendable (CacheGeometry) -> Int = { _ in 0 },
    make: @escaping @Sendable (CacheGeometry) -> any EvictionPolicy
  ) {
    self.name = name
    self.summary = summary
    self.floorShare = floorShare
    self.noteByteCount = noteByteCount
    self.make = make
  }
}

/// A policy that has to be told the future. A type of its own, so that none can be given to an
/// engine.
package struct ClairvoyantPolicyEntry: Sendable {
  package let name: String
  package let summary: String
  /// A policy for an empty cache of the given shape, and the uses that are to come.
  package let make: @Sendable (CacheGeometry, FutureUses) -> any EvictionPolicy
}

/// The eviction policies there are.
package enum PolicyRegistry {
  /// Every policy of the engine; the suite in `PolicyConformanceTests` runs over all of them.
  package static let all: [PolicyEntry] = [
    .learned { ReusePredictor(geometry: $0) },
    PolicyEntry(name: "lfu", summary: "Least frequently used, older uses counting less.") {
      LFU(geometry: $0, halfLife: 32)
    },
    PolicyEntry(name: "lru", summary: "Least recently used, per turn of the expert's layer.") {
      LRU(geometry: $0)
    },
    PolicyEntry(name: "clock", summary: "Second chance: one bit per slot stands for recency.") {
      Clock(geometry: $0)
    },
    PolicyEntry(name: "lru-2", summary: "Second last use longest ago.") {
      LRUK(geometry: $0)
    },
    PolicyEntry(name: "segment", summary: "Fewest uses in the last 16 tokens.") {
      SegmentFrequency(geometry: $0, segmentLength: 16)
    },
    PolicyEntry(name: "lifo", summary: "Not used by this step, then last in first out.") {
      LIFO(geometry: $0)
    },
    PolicyEntry(
      name: "activation-matrix", summary: "Least share of its layer's uses in this sequence.",
      noteByteCount: { ActivationMatrix.byteCount($0) }
    ) { ActivationMatrix(geometry: $0) },
    .flush { FrequencyPredictor(geometry: $0, halfLife: 32) },
    .mark0 { FrequencyPredictor(geometry: $0, halfLife: 32) },
    .markAndPredict { FrequencyPredictor(geometry: $0, halfLife: 32) },
    .follower { FrequentExperts(geometry: $0, halfLife: 32) },
  ]

  /// What replay of a trace can use besides.
  package static let clairvoyant: [ClairvoyantPolicyEntry] = [
    ClairvoyantPolicyEntry(name: "belady", summary: "Used furthest in the future.") {
      Belady(geometry: $0, future: $1)
    }
  ]

  /// What the engine uses where nothing is asked for: the best of these on recorded traces.
  package static let defaultEntry = all[0]

  /// Nil where no policy of the engine has that name.
  package static func entry(named name: String) -> PolicyEntry? {
    all.first { $0.name == name }
  }
}

/// Policies that follow predictions, with predictions of any kind.
extension PolicyEntry {
  package static func learned<Estimator: ReuseEstimator>(
    _ estimator: @escaping @Sendable (CacheGeometry) -> Estimator
  ) -> PolicyEntry {
    PolicyEntry(
      name: "learned", summary: "Least likely to be used soon, as learnt while running.",
      floorShare: 0.5, noteByteCount: { Estimator.byteCount($0) }
    ) { Learned(geometry: $0, estimator: estimator($0)) }
  }

  package static func flush(
    _ predictor: @escaping @Sendable (CacheGeometry) -> some OneBitPredictor
  ) -> PolicyEntry {
    PolicyEntry(name: "flush", summary: "Predicted dispensable, by one bit for each use.") {
      Flush(geometry: $0, predictor: predictor($0))
    }
  }

  package static func mark0(
    _ predictor: @escaping @Sendable (CacheGeometry) -> some OneBitPredictor
  ) -> PolicyEntry {
    PolicyEntry(name: "mark0", summary: "Predicted dispensable, else marking.") {
      Mark0(geometry: $0, predictor: predictor($0))
    }
  }

  package static func markAndPredict(
    seed: UInt64 = 1, _ predictor: @escaping @Sendable (CacheGeometry) -> some OneBitPredictor
  ) -> PolicyEntry {
    PolicyEntry(name: "mark-predict", summary: "Marking, led by one bit for each use.") {
      MarkAndPredict(geometry: $0, predictor: predictor($0), seed: seed)
    }
  }

  package static func follower(
    _ predictor: @escaping @Sendable (CacheGeometry) -> some StatePredictor
  ) -> PolicyEntry {
    PolicyEntry(name: "follower", summary: "Follows predicted contents while that pays.") {
      Follower(geometry: $0, predictor: predictor($0))
    }
  }
}
