import MoECore
import Synchronization

extension Endpoint {
  /// Streams that are open at the same time.
  private static let viewerCountMax = 16

  /// What the experts do, each second.
  static let expertsLive = Endpoint(
    method: .get, path: "/experts/live",
    summary: "Streams what the experts do, an event a second.", family: "Server"
  ) { exchange in
    let core = exchange.core
    _ = try exchange.model()
    guard let liveStatus = core.hooks.liveStatus, let first = await liveStatus() else {
      throw APIError(
        status: 501, type: "not_implemented_error",
        message: "this server does not tell what its experts do", code: "not_offered")
    }
    let isTaken = core.viewerCount.withLock { count in
      guard count < viewerCountMax else { return false }
      count += 1
      return true
    }
    guard isTaken else {
      throw APIError.unavailable(
        "\(viewerCountMax) streams of this kind are open already", code: "too_many_viewers")
    }
    let scope = exchange.scope
    return .events { writer in
      defer { core.viewerCount.withLock { $0 -= 1 } }
      try await writer.write([.data(first)])
      while scope.end == nil {
        try await Task.sleep(for: .seconds(1))
        guard core.acceptsRequests, let status = await liveStatus() else { break }
        try await writer.write([.data(status)])
      }
    }
  }
}
