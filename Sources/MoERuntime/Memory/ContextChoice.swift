import MoEKernels
import MoEModel

/// How long a context a run gets where nobody says, and what would let a refused run fit.
extension MemoryPlanner {
  /// What a context is where nobody asks for one: the model's own, at most this.
  static let contextLengthStandard = 4096
  /// It shrinks no further than this to fit a budget.
  static let contextLengthFloor = 1024
  /// Contexts are shortened in such steps.
  private static let contextLengthUnit = 128

  /// The plan; with a shorter context than the standard one where nobody asked for one and only
  /// that fits. A plan that does not fit says what would.
  package func fittingPlan() throws(EngineError) -> MemoryPlan {
    let wanted = try plan()
    let floor = min(contextLength, Self.contextLengthFloor)
    guard options.contextLength == nil, contextLength > floor else {
      return wanted.fits ? wanted : try withRemedies(wanted)
    }
    var least = try with(contextLength: floor).plan()
    guard least.fits else { return try with(contextLength: floor).withRemedies(least) }
    guard !wanted.fits else {
      var plan = wanted
      plan.smallestBudgetByteCount = least.smallestBudgetByteCount
      return plan
    }
    let length = try longestContext(below: contextLength) ?? floor
    let smallest = least.smallestBudgetByteCount
    if length > floor { least = try with(contextLength: length).plan() }
    least.smallestBudgetByteCount = smallest
    if let row = least.rows.firstIndex(where: { $0.name == MemoryPlan.stateRowName }) {
      least.rows[row].note += ", as many as fit: the standard is \(contextLength)"
    }
    return least
  }

  private func with(contextLength: Int) -> MemoryPlanner {
    var planner = self
    planner.contextLength = contextLength
    return planner
  }

  /// The longest context in whole units that fits; nil where none does. A longer context never
  /// needs less.
  private func longestContext(below limit: Int) throws(EngineError) -> Int? {
    var (fitting, failing) = (0, (limit + Self.contextLengthUnit - 1) / Self.contextLengthUnit)
    while failing - fitting > 1 {
      let middle = (fitting + failing) / 2
      if try with(contextLength: middle * Self.contextLengthUnit).plan().fits {
        fitting = middle
      } else {
        failing = middle
      }
    }
    return fitting > 0 ? fitting * Self.contextLengthUnit : nil
  }

  private func withRemedies(_ refused: MemoryPlan) throws(EngineError) -> MemoryPlan {
    var plan = refused
    plan.remedies = [.memory(byteCount: refused.smallestBudgetByteCount)]
    if let length = try longestContext(below: contextLength) {
      plan.remedies.append(.contextLength(length))
    }
    // The most exact of those that fit.
    let bits = options.kvCacheType.kvType.bitsPerNumber
    for type in KVCacheType.allCases
    where type.kvType.bitsPerNumber < bits && description.canKeep(type.kvType) {
      var planner = self
      planner.options.kvCacheType = type
      guard try planner.plan().fits else { continue }
      plan.remedies.append(.kvCacheType(type))
      break
    }
    return plan
  }
}
