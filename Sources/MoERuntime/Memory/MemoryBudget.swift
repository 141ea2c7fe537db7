package import MoECore

/// The bytes that a run may use, and where that figure comes from.
package struct MemoryBudget {
  package var byteCount: Int
  package var basis: MemoryPlan.Basis
  package var note: String

  /// What the options say, else what the cgroup and the machine leave.
  ///
  /// - Parameters:
  ///   - specification: A size, or a share of the `modelByteCount` of the model's files.
  ///   - processByteCount: What this process holds already.
  ///   - availableByteCount: What the machine has left; nil: unknown.
  package init(
    _ specification: SizeSpecification?, modelByteCount: Int, processByteCount: Int,
    availableByteCount: Int? = ProcessMemory.availableByteCount(),
    group: MemoryCGroup? = .current
  ) {
    if let specification {
      byteCount = specification.byteCount(of: modelByteCount)
      basis = .user
      switch specification {
      case .bytes: note = "as given"
      case .fraction: note = "as given: \(specification) of \(ByteSize(modelByteCount))"
      }
      return
    }
    // What this process holds already is part of the budget, so it counts as available to it.
    let available = (availableByteCount ?? 4 << 30) + processByteCount
    let room = group?.room(forProcessOf: processByteCount)
    if let room, room.byteCount < available {
      let reserve = Self.reserve(room.byteCount)
      byteCount = room.byteCount - reserve
      basis = .measured
      note =
        "cgroup limit (\(room.limitName)) less what others hold and a reserve of "
        + "\(ByteSize(reserve))"
    } else {
      let reserve = Self.reserve(available)
      byteCount = available - reserve
      basis = availableByteCount == nil ? .default : .measured
      let source =
        availableByteCount == nil
        ? "the system does not say what is available, so 4 GiB are assumed" : "available memory"
      note = "\(source) less a reserve of \(ByteSize(reserve))"
    }
  }

  /// Left to the rest of the machine: a twentieth, between 64 MiB and 1 GiB.
  private static func reserve(_ byteCount: Int) -> Int {
    min(max(byteCount / 20, 64 << 20), 1 << 30, byteCount)
  }
}
