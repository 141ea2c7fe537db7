package import MoEAnalysis

/// One model or trace of a report, with all that is known of it.
package struct ReportSide: Encodable {
  package let routing: RoutingReport
  /// Of the model's parameters; nil for a trace whose model is not at hand.
  package let parameters: ParameterReport?
  /// Tokens per second by memory and disk; nil where neither a model nor a size of experts was
  /// given.
  package let speed: SpeedReport?

  package init(routing: RoutingReport, parameters: ParameterReport?, speed: SpeedReport?) {
    self.routing = routing
    self.parameters = parameters
    self.speed = speed
  }

  /// What the report calls it.
  var name: String {
    [model, routing.source.precision].filter { !$0.isEmpty }.joined(separator: ", ")
  }

  /// The model without whose it is; of an unnamed one the file.
  var model: String {
    let source = routing.source
    let name = source.model.isEmpty ? source.name : source.model
    return name.split(separator: "/").last.map(String.init) ?? name
  }
}

/// What `report --json` writes, these properties in snake_case as its keys.
package struct ReportDocument: Encodable {
  /// One, or two that are compared.
  package let reports: [ReportSide]
  package let frontier: GatingFrontier?

  package init(reports: [ReportSide], frontier: GatingFrontier?) {
    self.reports = reports
    self.frontier = frontier
  }

  /// (side): names that tell the sides apart.
  var names: [String] {
    let names = reports.map(\.name)
    guard names.count > 1, Set(names).count < names.count else { return names }
    return zip(["A", "B"], reports).map { "\($0): \($1.routing.source.name)" }
  }

  /// (side): names that fit beside a line.
  var labels: [String] {
    guard reports.count > 1 else { return reports.map(\.model) }
    for names in [reports.map(\.model), reports.map(\.routing.source.precision)]
    where Set(names).count == names.count && !names.contains("") {
      return names
    }
    return Array(["A", "B"].prefix(reports.count))
  }
}
