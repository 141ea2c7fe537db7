/// An eviction policy that can be chosen by name.
package struct PolicyEntry: Sendable {
  package let name: String
  /// One line for `--help`.
  package let summary: String
  /// A policy for an empty cache of the given shape.
  package let make: @Sendable (CacheGeometry) -> any EvictionPolicy
}

/// The eviction policies there are.
package enum PolicyRegistry {
  /// Every policy; the suite in `PolicyConformanceTests` runs over all of them.
  package static let all: [PolicyEntry] = [
    PolicyEntry(name: "lfu", summary: "Least frequently used, older uses counting less.") {
      LFU(geometry: $0, halfLife: 32)
    },
    PolicyEntry(name: "lru", summary: "Least recently used, per turn of the expert's layer.") {
      LRU(geometry: $0)
    },
    PolicyEntry(name: "clock", summary: "Second chance: one bit per slot stands for recency.") {
      Clock(geometry: $0)
    },
  ]

  /// What the engine uses where nothing is asked for: the best of these on recorded traces.
  package static let defaultEntry = all[0]

  /// Nil where no policy has that name.
  package static func entry(named name: String) -> PolicyEntry? {
    all.first { $0.name == name }
  }
}
