extension Endpoint {
  static let metrics = Endpoint(
    method: .get, path: "/metrics", summary: "Counts what was done, as Prometheus reads it.",
    family: "Server"
  ) { exchange in
    let figures = await exchange.core.loadedModel?.figures()
    return Reply(
      contentType: "text/plain; version=0.0.4; charset=utf-8",
      .bytes(Array(exchange.core.metrics.text(figures).utf8)))
  }
}
