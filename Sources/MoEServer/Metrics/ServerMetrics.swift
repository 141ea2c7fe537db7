import MoERuntime
import Synchronization

/// Counts what a server does.
final class ServerMetrics: Sendable {
  private struct Key: Hashable {
    let path: String
    let status: Int
  }

  private struct State {
    var requests: [Key: Int] = [:]
    var tokens = TokenCounts()
    var firstToken = Histogram(bounds: [
      0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300,
    ])
    var betweenTokens = Histogram(bounds: [
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ])
  }

  private let state = Mutex(State())
  private static let knownPaths = Set(EndpointRegistry.all.map(\.path))

  func countRequest(path: String, status: Int) {
    // What strangers make up is one path.
    let key = Key(path: Self.knownPaths.contains(path) ? path : "other", status: status)
    state.withLock { $0.requests[key, default: 0] += 1 }
  }

  func countTokens(_ tokens: TokenCounts) {
    state.withLock { state in
      state.tokens.prompt += tokens.prompt
      state.tokens.cached += tokens.cached
      state.tokens.generated += tokens.generated
    }
  }

  func didWriteFirstToken(after seconds: Double) {
    state.withLock { $0.firstToken.add(seconds) }
  }

  func didWriteToken(after seconds: Double) {
    state.withLock { $0.betweenTokens.add(seconds) }
  }

  /// All of it, as Prometheus reads it.
  ///
  /// - Parameter engine: What is known of the engine; nil while the model loads.
  func text(_ engine: EngineFigures?) -> String {
    let state = state.withLock { $0 }
    var page = PrometheusText()
    let requests = state.requests.sorted {
      ($0.key.path, $0.key.status) < ($1.key.path, $1.key.status)
    }
    page.counter(
      "moe_requests_total", "Requests by endpoint and status.",
      requests.map { key, count in
        ([("endpoint", key.path), ("status", "\(key.status)")], count)
      })
    page.counter(
      "moe_prompt_tokens_total", "Tokens of prompts.", Double(state.tokens.prompt))
    page.counter(
      "moe_cached_tokens_total", "Those of them that were known from earlier requests.",
      Double(state.tokens.cached))
    page.counter(
      "moe_generated_tokens_total", "Tokens of answers.", Double(state.tokens.generated))
    page.histogram(
      "moe_time_to_first_token_seconds", "From a request to the first token of its answer.",
      state.firstToken)
    page.histogram(
      "moe_time_between_tokens_seconds", "From a token of an answer to the next.",
      state.betweenTokens)
    engine?.write(to: &page)
    return page.text
  }
}
