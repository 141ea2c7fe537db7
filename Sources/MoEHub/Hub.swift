#if TLS
  /// A hub to ask: its interface, its files.
  package struct Hub: Sendable {
    package let settings: HubSettings
    let transport: HubTransport

    /// Gives a closure a hub and ends all connections behind it.
    package static func withHub<Result: Sendable>(
      _ settings: HubSettings,
      _ body: @Sendable (Hub) async throws(HubError) -> Result
    ) async throws(HubError) -> Result {
      let transport = HubTransport(settings)
      let outcome: Swift.Result<Result, HubError>
      do throws(HubError) {
        outcome = .success(try await body(Hub(settings: settings, transport: transport)))
      } catch {
        outcome = .failure(error)
      }
      await transport.close()
      return try outcome.get()
    }

    /// Tries again what may succeed a little later, as often as it makes sense for a request whose
    /// answer is short.
    func retrying<Result: Sendable>(
      _ request: @Sendable () async throws(HubError) -> Result
    ) async throws(HubError) -> Result {
      var pause = RetryPause(settings)
      for _ in 1..<3 {
        do throws(HubError) {
          return try await request()
        } catch {
          guard error.isTransient else { throw error }
          try await pause.wait(after: error)
        }
      }
      return try await request()
    }
  }

  /// How long to wait before a request is made again.
  struct RetryPause {
    /// Who asks for more than this is told to the user instead.
    private static let secondsMax = 120
    private static let delayMax = Duration.seconds(30)

    private let first: Duration
    private var next: Duration

    init(_ settings: HubSettings) {
      first = settings.retryDelay
      next = first
    }

    /// Something came in between.
    mutating func reset() { next = first }

    /// Waits as long as the host asked for, or twice as long as before. Throws the error where that
    /// is too long.
    mutating func wait(after error: HubError) async throws(HubError) {
      var delay = next
      if case .busy(_, _, let seconds?) = error {
        guard seconds <= Self.secondsMax else { throw error }
        delay = max(delay, .seconds(seconds))
      }
      next = min(next * 2, Self.delayMax)
      do {
        try await Task.sleep(for: delay)
      } catch {
        throw .cancelled
      }
    }
  }
#endif
