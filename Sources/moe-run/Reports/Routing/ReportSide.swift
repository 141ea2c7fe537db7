import MoEAnalysis

/// One model or trace of a report, with all that is known of it.
struct ReportSide: Encodable {
  let routing: RoutingReport
  /// Of the model's parameters; nil for a trace whose model is not at hand.
  let parameters: ParameterReport?
  /// Tokens per second by memory and disk; nil where neither a model nor a size of experts was
  /// given.
  let speed: SpeedReport?

  /// What the report calls it.
  var name: String {
    let source = routing.source
    let parts = [source.model.isEmpty ? source.name : source.model, source.precision]
    return parts.filter { !$0.isEmpty }.joined(separator: ", ")
  }
}

/// What `report --json` writes, these properties in snake_case as its keys.
struct ReportDocument: Encodable {
  /// One, or two that are compared.
  let reports: [ReportSide]
  let frontier: GatingFrontier?

  /// (side): names that tell the sides apart.
  var names: [String] {
    let names = reports.map(\.name)
    guard names.count > 1, Set(names).count < names.count else { return names }
    return zip(["A", "B"], reports).map { "\($0): \($1.routing.source.name)" }
  }
}
