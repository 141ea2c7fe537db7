/// One way to read a model's files.
package struct BackendEntry: Sendable {
  package let name: String
  package let summary: String
  /// Whether `automatic` may choose it; it tries entries in the registry's order.
  package let isAutomatic: Bool
  /// Whether it keeps whole files in memory, which a memory budget must then have room for.
  package let holdsFiles: Bool
  /// Throws `backendUnavailable` with the reason where it cannot work here.
  package let make:
    @Sendable (_ open: OpenFiles, _ depth: Int) throws(StoreError) -> any StoreBackend

  package init(
    name: String, summary: String, isAutomatic: Bool, holdsFiles: Bool = false,
    make: @escaping @Sendable (OpenFiles, Int) throws(StoreError) -> any StoreBackend
  ) {
    self.name = name
    self.summary = summary
    self.isAutomatic = isAutomatic
    self.holdsFiles = holdsFiles
    self.make = make
  }
}

/// Every store backend.
package enum BackendRegistry {
  package static let ring = BackendEntry(
    name: "ring", summary: "Direct reads by io_uring.", isAutomatic: true,
    make: { open, depth throws(StoreError) in try RingBackend(open, depth: depth) })
  package static let pread = BackendEntry(
    name: "pread", summary: "Direct reads by a set of threads.", isAutomatic: true,
    make: { open, depth throws(StoreError) in try ThreadedBackend.direct(open, depth: depth) })
  package static let buffered = BackendEntry(
    name: "buffered", summary: "Reads through the page cache, dropped after use.",
    isAutomatic: true,
    make: { open, depth throws(StoreError) in try ThreadedBackend.buffered(open, depth: depth) })
  package static let memory = BackendEntry(
    name: "memory", summary: "Whole files in memory, for tests.", isAutomatic: false,
    holdsFiles: true,
    make: { open, depth throws(StoreError) in try MemoryBackend(open, depth: depth) })

  /// The best first.
  package static let all = [ring, pread, buffered, memory]
}

/// Which backend to use.
package enum BackendChoice: Hashable, Sendable {
  /// The first of the registry that works here.
  case automatic
  case named(String)
}

/// A backend that works, and why better ones were not taken.
package struct BackendSelection {
  package let backend: any StoreBackend
  /// The better backends, which could not be used.
  package let skipped: [SkippedBackend]

  /// A backend that the caller made.
  package init(_ backend: any StoreBackend) {
    self.backend = backend
    skipped = []
  }

  /// Tries the backends of `registry` on the files.
  package init(
    _ choice: BackendChoice, for open: OpenFiles, depth: Int,
    registry: [BackendEntry] = BackendRegistry.all
  ) throws(StoreError) {
    switch choice {
    case .named(let name):
      guard let entry = registry.first(where: { $0.name == name }) else {
        throw .unknownBackend(name: name, known: registry.map(\.name))
      }
      backend = try entry.make(open, depth)
      skipped = []
      try checkAlignment()
    case .automatic:
      var skipped: [SkippedBackend] = []
      for entry in registry where entry.isAutomatic {
        do throws(StoreError) {
          let selection = BackendSelection(try entry.make(open, depth), skipped: skipped)
          try selection.checkAlignment()
          self = selection
          return
        } catch .backendUnavailable(let name, let reason) {
          skipped.append(SkippedBackend(name: name, reason: reason))
        }
      }
      throw .backendUnavailable(name: "automatic", reason: .noneWorks(skipped))
    }
  }

  private init(_ backend: any StoreBackend, skipped: [SkippedBackend]) {
    self.backend = backend
    self.skipped = skipped
  }

  /// Refuses a backend that reads only to places that no memory was planned for.
  func checkAlignment() throws(StoreError) {
    guard backend.alignment <= ReadPlacement.alignmentMax else {
      throw .backendUnavailable(
        name: backend.name, reason: .alignmentTooLarge(backend.alignment))
    }
  }
}
