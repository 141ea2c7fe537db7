extension Endpoint {
  static let openAPI = Endpoint(
    method: .get, path: "/openapi.json", summary: "Describes this interface.", family: "Server",
    needsKey: false
  ) { _ in
    .json(OpenAPIDescription.json)
  }
}
