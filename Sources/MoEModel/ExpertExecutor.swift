package import MoECache
package import MoECore
package import MoEExperts
package import MoEKernels

/// What the rows of a step want of one layer's routed experts.
package struct ExpertWork {
  package var layer: Int
  /// One for each expert that is wanted, ascending, and where its rows are in `rows` and `weights`:
  /// (request) the first, and behind the last the end.
  package var requests: [ExpertRequest]
  package var starts: [Int]
  /// (grouped): numbers of rows, by expert, and the weight that each gives to that expert.
  package var rows: IndexView
  package var weights: FloatView
  /// What that weight is a factor on.
  package var weightPlacement: WeightPlacement
  /// What the router selected, row by row.
  package var selection: Selection
  /// (row, hiddenSize) in each form that an expert's first products read.
  package var input: ExpertInput
  package var activation: Activation
  package var scales: ExpertScales
  /// (row, hiddenSize): what the sums are added to.
  package var output: FloatRows

  package init(
    layer: Int, requests: [ExpertRequest], starts: [Int], rows: IndexView, weights: FloatView,
    weightPlacement: WeightPlacement = .output, selection: Selection, input: ExpertInput,
    activation: Activation, scales: ExpertScales = ExpertScales(), output: FloatRows
  ) {
    precondition(starts.count == requests.count + 1)
    self.layer = layer
    self.requests = requests
    self.starts = starts
    self.rows = rows
    self.weights = weights
    self.weightPlacement = weightPlacement
    self.selection = selection
    self.input = input
    self.activation = activation
    self.scales = scales
    self.output = output
  }

  /// Rows of all experts together: a row that takes four experts counts four times.
  package var groupedRowCount: Int { starts[requests.count] }

  /// The rows of one request, in `rows` and `weights`.
  package func group(_ number: Int) -> Range<Int> { starts[number]..<starts[number + 1] }
}

/// Computes the weighted sums of routed experts: the seam between routing, which does not care who
/// multiplies, and whoever does.
///
/// For each layer goes `begin`, which asks for what is needed and returns at once, and then `run`.
/// A row's experts are added in ascending order of their index, whatever order they arrive in and
/// whatever other rows share the step: so a row's bits are those that it has alone.
package protocol ExpertExecutor: AnyObject {
  /// Where it throws, there is nothing to run.
  func begin(_ work: ExpertWork) throws(ExpertError)

  /// output[row] += weight · expert(input[row]) for each expert that a row takes, or output[row] +=
  /// expert(weight · input[row]). The step on the layer is over afterwards, also where it throws.
  func run(_ work: ExpertWork) throws(ExpertError)
}
