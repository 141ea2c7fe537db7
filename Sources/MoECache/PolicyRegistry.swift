/// An eviction policy that can be chosen by name.
package struct PolicyEntry: Sendable {
  package let name: String
  /// One line for `--help`.
  package let summary: String
  package let make: @Sendable (CacheGeometry) -> any EvictionPolicy
}

package enum PolicyRegistry {
  package static let all: [PolicyEntry] = [
    PolicyEntry(name: "lru", summary: "Least recently used, per turn of the expert's layer.") {
      LRU(geometry: $0)
    }
  ]

  /// What the engine uses where nothing is asked for.
  package static let defaultEntry = all[0]

  /// Nil where no policy has that name.
  package static func entry(named name: String) -> PolicyEntry? {
    all.first { $0.name == name }
  }
}
