#if GLPK
  private import CGLPK
#endif

/// ExFlow's integer program, as it stands in the paper (arXiv 2401.08383), given to GLPK.
///
/// It is asked for something better than what is known already; that there is nothing is the more
/// common answer, and the quicker one to find. Built with the package trait GLPK alone, since GLPK
/// is under the GNU General Public License: whoever passes on a program that contains it passes on
/// the program under that licence.
package enum PlacementProgram {
  /// Whether this build has a solver.
  package static var isAvailable: Bool {
    #if GLPK
      true
    #else
      false
    #endif
  }

  enum Outcome {
    /// Fewer crossings than asked for; `isProved` if no placement has fewer still.
    case better(ExpertPlacement, isProved: Bool)
    /// It is proved that there is none.
    case noneBetter
    /// Time was up, or the program is too large to state, or there is no solver.
    case unknown
  }

  #if GLPK
    /// Looks for a placement with fewer crossings than some, for so many seconds.
    static func improve(
      _ affinity: ExpertAffinity, deviceCount: Int, below crossings: Int, seconds: Double
    ) -> Outcome {
      guard
        let statement = ProgramStatement(affinity, deviceCount: deviceCount, below: crossings),
        let program = unsafe glp_create_prob()
      else { return .unknown }
      defer { unsafe glp_delete_prob(program) }
      _ = glp_term_out(GLP_OFF)
      unsafe glp_set_obj_dir(program, GLP_MIN)
      _ = unsafe glp_add_cols(program, Int32(statement.columns.count))
      for (index, column) in statement.columns.enumerated() {
        let number = Int32(index + 1)
        unsafe glp_set_obj_coef(program, number, Double(column.weight))
        if column.isBinary { unsafe glp_set_col_kind(program, number, GLP_BV) }
        let isFixed = column.range.lowerBound == column.range.upperBound
        unsafe glp_set_col_bnds(
          program, number, isFixed ? GLP_FX : GLP_DB, Double(column.range.lowerBound),
          Double(column.range.upperBound))
      }
      _ = unsafe glp_add_rows(program, Int32(statement.rows.count))
      for (index, row) in statement.rows.enumerated() {
        let bound = Double(row.bound)
        let kind =
          switch row.relation {
          case .equal: GLP_FX
          case .atLeast: GLP_LO
          case .atMost: GLP_UP
          }
        unsafe glp_set_row_bnds(program, Int32(index + 1), kind, bound, bound)
      }
      // GLPK counts from 1 and passes over the first element.
      let terms = statement.terms
      let rowNumbers = [0] + terms.map { Int32($0.row + 1) }
      let columnNumbers = [0] + terms.map { Int32($0.column + 1) }
      let factors = [0] + terms.map { Double($0.factor) }
      unsafe glp_load_matrix(program, Int32(terms.count), rowNumbers, columnNumbers, factors)
      let code = unsafe run(program, seconds: seconds)
      let status = unsafe glp_mip_status(program)
      if code == GLP_ENOPFS || status == GLP_NOFEAS { return .noneBetter }
      guard status == GLP_OPT || status == GLP_FEAS else { return .unknown }
      let values = statement.columns.indices.map {
        unsafe glp_mip_col_val(program, Int32($0 + 1))
      }
      guard let placement = statement.placement(values) else { return .unknown }
      return .better(placement, isProved: status == GLP_OPT)
    }

    private static func run(_ program: OpaquePointer, seconds: Double) -> Int32 {
      var options = unsafe glp_iocp()
      unsafe glp_init_iocp(&options)
      unsafe options.msg_lev = GLP_MSG_OFF
      unsafe options.presolve = GLP_ON
      unsafe options.mir_cuts = GLP_ON
      unsafe options.tm_lim = Int32(min(max(seconds * 1000, 1), Double(Int32.max)))
      return unsafe glp_intopt(program, &options)
    }
  #else
    /// There is no solver in this build.
    static func improve(
      _ affinity: ExpertAffinity, deviceCount: Int, below crossings: Int, seconds: Double
    ) -> Outcome { .unknown }
  #endif
}
