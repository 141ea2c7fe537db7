import MoECore
import MoERuntime

extension Endpoint {
  /// What this machine does with this model, and why.
  static let plan = Endpoint(
    method: .get, path: "/plan",
    summary: "Tells what this machine does with the model, and why.", family: "Server"
  ) { exchange in
    .json(try exchange.model().engine.plan.json)
  }
}
