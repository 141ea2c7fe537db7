/// Square matrices as arrays of rows, in loops that are plainly right.
enum NaiveAlgebra {
  typealias Matrix = [[Double]]

  static func identity(_ count: Int) -> Matrix {
    (0..<count).map { row in (0..<count).map { $0 == row ? 1 : 0 } }
  }

  static func product(_ left: Matrix, _ right: Matrix) -> Matrix {
    left.map { row in
      right[0].indices.map { column in
        row.indices.reduce(0) { $0 + row[$1] * right[$1][column] }
      }
    }
  }

  static func transposed(_ matrix: Matrix) -> Matrix {
    matrix[0].indices.map { column in matrix.map { $0[column] } }
  }

  /// By Gauss and Jordan, with the largest element of a column as pivot.
  static func inverse(_ matrix: Matrix) -> Matrix {
    let count = matrix.count
    var work = matrix
    var result = identity(count)
    for column in 0..<count {
      let pivot = (column..<count).max { abs(work[$0][column]) < abs(work[$1][column]) } ?? column
      work.swapAt(column, pivot)
      result.swapAt(column, pivot)
      let factor = 1 / work[column][column]
      for index in 0..<count {
        work[column][index] *= factor
        result[column][index] *= factor
      }
      let (workRow, resultRow) = (work[column], result[column])
      for row in 0..<count where row != column && work[row][column] != 0 {
        let factor = work[row][column]
        add(-factor, workRow, to: &work[row])
        add(-factor, resultRow, to: &result[row])
      }
    }
    return result
  }

  static func add(_ factor: Double, _ source: [Double], to target: inout [Double]) {
    for index in source.indices { target[index] += factor * source[index] }
  }

  /// tr(D H Dᵀ)
  static func loss(_ differences: Matrix, _ hessian: Matrix) -> Double {
    differences.reduce(0) { sum, row in
      sum
        + row.indices.reduce(0) { sum, i in
          sum + row.indices.reduce(0) { $0 + row[i] * hessian[i][$1] * row[$1] }
        }
    }
  }

  static func largest(_ matrix: Matrix) -> Double {
    matrix.reduce(0) { $1.reduce($0) { max($0, abs($1)) } }
  }
}
