#if GLPK
  private import CGLPK
#endif

/// ExFlow's integer program, as it stands in the paper (arXiv 2401.08383), given to GLPK.
///
/// Built with the package trait GLPK alone, since GLPK is under the GNU General Public License:
/// whoever passes on a program that contains it passes on the program under that licence.
package enum PlacementProgram {
  /// Whether this build has a solver.
  package static var isAvailable: Bool {
    #if GLPK
      true
    #else
      false
    #endif
  }

  struct Solution {
    var placement: ExpertPlacement
    /// Whether no placement is better.
    var isProved: Bool
  }

  #if GLPK
    /// The best placement found in a time; nil where none was, or the program is too large to state.
    static func solve(
      _ affinity: ExpertAffinity, deviceCount: Int, seconds: Double
    ) -> Solution? {
      guard let program = unsafe glp_create_prob() else { return nil }
      defer { unsafe glp_delete_prob(program) }
      guard let statement = ProgramStatement(affinity, deviceCount: deviceCount) else { return nil }
      unsafe glp_term_out(GLP_OFF)
      unsafe glp_set_obj_dir(program, GLP_MIN)
      unsafe glp_add_cols(program, Int32(statement.columns.count))
      for (index, column) in statement.columns.enumerated() {
        let number = Int32(index + 1)
        unsafe glp_set_obj_coef(program, number, Double(column.weight))
        if column.isBinary {
          unsafe glp_set_col_kind(program, number, GLP_BV)
        } else {
          unsafe glp_set_col_bnds(program, number, GLP_DB, 0, 1)
        }
        if column.isOne { unsafe glp_set_col_bnds(program, number, GLP_FX, 1, 1) }
      }
      unsafe glp_add_rows(program, Int32(statement.rows.count))
      for (index, row) in statement.rows.enumerated() {
        let kind = row.isEquality ? GLP_FX : GLP_LO
        unsafe glp_set_row_bnds(program, Int32(index + 1), kind, Double(row.bound), 0)
      }
      // GLPK counts from 1 and passes over the first element.
      let terms = statement.terms
      let rowNumbers = [0] + terms.map { Int32($0.row + 1) }
      let columnNumbers = [0] + terms.map { Int32($0.column + 1) }
      let factors = [0] + terms.map { Double($0.factor) }
      unsafe glp_load_matrix(program, Int32(terms.count), rowNumbers, columnNumbers, factors)
      var options = glp_iocp()
      unsafe glp_init_iocp(&options)
      options.msg_lev = GLP_MSG_OFF
      options.presolve = GLP_ON
      options.mir_cuts = GLP_ON
      options.fp_heur = GLP_ON
      options.tm_lim = Int32(min(seconds * 1000, Double(Int32.max)))
      _ = unsafe glp_intopt(program, &options)
      let status = unsafe glp_mip_status(program)
      guard status == GLP_OPT || status == GLP_FEAS else { return nil }
      let values = statement.columns.indices.map {
        unsafe glp_mip_col_val(program, Int32($0 + 1))
      }
      return statement.placement(values).map {
        Solution(placement: $0, isProved: status == GLP_OPT)
      }
    }
  #else
    /// There is no solver in this build.
    static func solve(
      _ affinity: ExpertAffinity, deviceCount: Int, seconds: Double
    ) -> Solution? { nil }
  #endif
}

#if GLPK
  /// Columns x(layer, expert, device), 1 where the expert is on the device, and y(pair of experts in
  /// neighbouring layers) at least |x - x'| on every device; the sum of y by tokens is least.
  private struct ProgramStatement {
    struct Column {
      var weight: Int
      var isBinary: Bool
      var isOne = false
    }

    struct Row {
      var bound: Int
      var isEquality: Bool
    }

    private let affinity: ExpertAffinity
    private let deviceCount: Int
    private(set) var columns: [Column] = []
    private(set) var rows: [Row] = []
    private(set) var terms: [(row: Int, column: Int, factor: Int)] = []

    private static let termCountMax = 50_000_000

    /// Nil where it would have more terms than a solver of this kind could do anything with.
    init?(_ affinity: ExpertAffinity, deviceCount: Int) {
      self.affinity = affinity
      self.deviceCount = deviceCount
      let pairCount = affinity.pairCounts.count { $0 > 0 }
      let placeCount = affinity.layerCount * affinity.expertCount * deviceCount
      guard (6 * pairCount * deviceCount + 2 * placeCount) < Self.termCountMax else { return nil }
      columns = Array(repeating: Column(weight: 0, isBinary: true), count: placeCount)
      // Devices are alike: the first expert may as well be on the first.
      columns[0].isOne = true
      for layer in 0..<affinity.layerCount { addPlaces(layer) }
      for layer in 0..<affinity.layerPairCount { addPairs(layer) }
    }

    private func place(_ layer: Int, _ expert: Int, _ device: Int) -> Int {
      (layer * affinity.expertCount + expert) * deviceCount + device
    }

    /// Each expert on one device, each device with its share of the experts.
    private mutating func addPlaces(_ layer: Int) {
      for expert in 0..<affinity.expertCount {
        for device in 0..<deviceCount {
          terms.append((rows.count, place(layer, expert, device), 1))
        }
        rows.append(Row(bound: 1, isEquality: true))
      }
      for device in 0..<deviceCount {
        for expert in 0..<affinity.expertCount {
          terms.append((rows.count, place(layer, expert, device), 1))
        }
        rows.append(Row(bound: affinity.expertCount / deviceCount, isEquality: true))
      }
    }

    private mutating func addPairs(_ layer: Int) {
      for first in 0..<affinity.expertCount {
        for second in 0..<affinity.expertCount {
          let weight = affinity.count(layer: layer, from: first, to: second)
          guard weight > 0 else { continue }
          let column = columns.count
          columns.append(Column(weight: weight, isBinary: false))
          for device in 0..<deviceCount {
            for sign in [1, -1] {
              terms.append((rows.count, column, 1))
              terms.append((rows.count, place(layer, first, device), -sign))
              terms.append((rows.count, place(layer + 1, second, device), sign))
              rows.append(Row(bound: 0, isEquality: false))
            }
          }
        }
      }
    }

    /// Reads a solution; nil where it is none.
    func placement(_ values: [Double]) -> ExpertPlacement? {
      let devices = (0..<affinity.layerCount * affinity.expertCount).map { expert in
        (0..<deviceCount).max {
          values[expert * deviceCount + $0] < values[expert * deviceCount + $1]
        } ?? 0
      }
      return try? ExpertPlacement(
        layerCount: affinity.layerCount, expertCount: affinity.expertCount,
        deviceCount: deviceCount, devices: devices)
    }
  }
#endif
