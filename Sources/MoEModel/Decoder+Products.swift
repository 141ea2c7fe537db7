import MoECore
import MoEKernels

/// Products that blocks list and then have computed together.
extension Decoder {
  /// The rows that the next products read.
  func beginProducts(of rows: FloatRows) {
    activations.begin(rows)
    products.removeAll()
  }

  /// Adds a product of the current rows to the list.
  func append(_ matrix: QuantizedMatrix, into output: FloatRows) {
    let input = activations.rows(form: matrix.format.activation, scratch: scratch, team: team)
    products.append(matrix, input, into: output)
  }

  /// Adds products of heads' rows of a matrix with the current rows (`ProductList`).
  func append(
    _ matrix: QuantizedMatrix, _ rows: HeadRows, into output: FloatRows, headStride: Int
  ) {
    let input = activations.rows(form: matrix.format.activation, scratch: scratch, team: team)
    products.append(matrix, rows, input, into: output, headStride: headStride)
  }

  /// Computes what is in the list.
  func multiply(as activity: TimelineActivity) { team.multiply(products, as: activity) }
}

/// The rows that the next products read, in each form that one of them wants; made when first
/// asked.
struct InputActivations {
  private var source: FloatRows?
  /// By `ActivationForm.index`.
  private var made: [ActivationRows?] = Array(repeating: nil, count: ActivationForm.allCases.count)

  /// New rows: what was made of the old ones is void.
  mutating func begin(_ rows: FloatRows) {
    source = rows
    for index in made.indices { made[index] = nil }
  }

  mutating func rows(
    form: ActivationForm, scratch: borrowing Scratch, team: WorkerTeam
  ) -> ActivationRows {
    guard let source else { preconditionFailure("no rows to read") }
    if form == .f32 { return source.asActivations }
    if let rows = made[form.index] { return rows }
    let rows = scratch.activations(
      scratch.layout.inputForms, form: form, count: source.rowCount, columns: source.columnCount)
    team.quantize(source, into: rows)
    made[form.index] = rows
    return rows
  }
}
