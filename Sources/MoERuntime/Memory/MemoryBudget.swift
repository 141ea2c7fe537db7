import MoECore

/// The bytes that a run may use, and where that figure comes from.
struct MemoryBudget {
  var byteCount: Int
  var basis: MemoryPlan.Basis
  var note: String

  /// What `--memory` says, else what the cgroup and the machine leave.
  init(_ specification: SizeSpecification?, modelByteCount: Int, processByteCount: Int) {
    if let specification {
      byteCount = specification.byteCount(of: modelByteCount)
      basis = .user
      switch specification {
      case .bytes: note = "--memory"
      case .fraction: note = "--memory \(specification) of \(ByteSize(modelByteCount))"
      }
      return
    }
    // What this process holds already is part of the budget, so it counts as available to it.
    let available = (ProcessMemory.availableByteCount() ?? 4 << 30) + processByteCount
    let group = MemoryCGroup.current
    var limit: Int?
    if let group, let groupLimit = group.limitByteCount {
      // Others in the group have their part of the limit.
      let others = max(0, (group.usageByteCount ?? 0) - processByteCount)
      limit = max(0, groupLimit - (group.isAlone ? 0 : others))
    }
    if let limit, limit < available {
      byteCount = limit - Self.reserve(limit)
      note = "cgroup limit less a reserve of \(ByteSize(Self.reserve(limit)))"
    } else {
      byteCount = available - Self.reserve(available)
      note = "available memory less a reserve of \(ByteSize(Self.reserve(available)))"
    }
    basis = .measured
  }

  /// Left to the rest of the machine: a twentieth, between 64 MiB and 1 GiB.
  private static func reserve(_ byteCount: Int) -> Int {
    min(max(byteCount / 20, 64 << 20), 1 << 30)
  }
}
