import MoECore

extension Endpoint {
  /// Whether requests for the model are taken.
  static let health = Endpoint(
    method: .get, path: "/health", summary: "Tells whether the model is ready.",
    family: "Server", needsKey: false
  ) { exchange in
    _ = try exchange.model()
    return .json(["status": "ok"])
  }
}
