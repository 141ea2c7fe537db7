/// A placement for which tokens change devices as rarely as could be found: ExFlow's program (arXiv
/// 2401.08383).
///
/// The program: each expert is on one device, each device holds the same number of each layer's
/// experts, and the number of device changes between neighbouring layers is least. Tokens that take
/// the same two experts change devices alike, so the table of pairs holds all there is to know.
package struct CrossingPlacement: Sendable, Equatable {
  package enum Method: String, Sendable, Encodable {
    /// The solver of the trait GLPK, which found it or proved that nothing is better.
    case solver
    /// Local search.
    case search
  }

  package let placement: ExpertPlacement
  package let crossings: Int
  /// No placement has fewer crossings than this.
  package let crossingsMin: Int
  package let method: Method

  /// Whether it is proved that none has fewer.
  package var isOptimal: Bool { crossings == crossingsMin }

  /// Searches, and where the build has a solver lets it try to do better, or to prove that nothing
  /// is.
  ///
  /// - Parameters:
  ///   - affinity: Of neighbouring layers (`layerDistance` 1).
  ///   - deviceCount: A divisor of the number of experts.
  ///   - seed: Of the search's starts.
  ///   - startCount: How many times the search starts anew.
  ///   - solverSeconds: The solver's limit; 0 to do without.
  package init(
    _ affinity: ExpertAffinity, deviceCount: Int, seed: UInt64 = 1, startCount: Int = 32,
    solverSeconds: Double = 60
  ) throws(RoutingAnalysisError) {
    guard affinity.layerDistance == 1 else {
      throw RoutingAnalysisError(
        "affinity over \(affinity.layerDistance) layers says nothing of crossings: give that of "
          + "neighbouring layers")
    }
    try ExpertPlacement.check(expertCount: affinity.expertCount, deviceCount: deviceCount)
    var search = try PlacementSearch(affinity, deviceCount: deviceCount, seed: seed)
    let found = search.best(startCount: max(1, startCount))
    let bound = affinity.crossingsMin(expertsPerDevice: found.expertsPerDevice)
    let crossings = found.crossings(affinity)
    if crossings > bound, solverSeconds > 0 {
      switch PlacementProgram.improve(
        affinity, deviceCount: deviceCount, below: crossings, seconds: solverSeconds)
      {
      case .better(let solution, let isProved):
        let solved = solution.crossings(affinity)
        placement = solution
        self.crossings = solved
        crossingsMin = isProved ? solved : bound
        method = .solver
        return
      case .noneBetter:
        placement = found
        self.crossings = crossings
        crossingsMin = crossings
        method = .solver
        return
      case .unknown: break
      }
    }
    placement = found
    self.crossings = crossings
    crossingsMin = bound
    method = .search
  }
}
