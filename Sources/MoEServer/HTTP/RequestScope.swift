import Synchronization

/// One request while it is worked on: what ends early when nobody wants it any more, and what it
/// has cost so far.
final class RequestScope: Sendable {
  private struct State {
    var end: APIError?
    var actions: [Int: @Sendable () -> Void] = [:]
    var nextNumber = 0
    var tokens = TokenCounts()
  }

  private let state = Mutex(State())

  /// Why the request is to end early; nil while it is wanted.
  var end: APIError? { state.withLock { $0.end } }

  func check() throws(APIError) {
    if let end { throw end }
  }

  /// Ends what was registered, once.
  func cancel(_ reason: APIError) {
    let actions = state.withLock { state -> [@Sendable () -> Void] in
      if state.end != nil { return [] }
      state.end = reason
      defer { state.actions = [:] }
      return Array(state.actions.values)
    }
    for action in actions { action() }
  }

  /// Has an action done when the request is cancelled: at once where it has been.
  ///
  /// - Returns: What `forget` takes.
  func onCancel(_ action: @escaping @Sendable () -> Void) -> Int {
    let number = state.withLock { state -> Int? in
      if state.end != nil { return nil }
      state.nextNumber += 1
      state.actions[state.nextNumber] = action
      return state.nextNumber
    }
    if number == nil { action() }
    return number ?? 0
  }

  func forget(_ number: Int) { _ = state.withLock { $0.actions.removeValue(forKey: number) } }

  /// For the access log.
  var tokens: TokenCounts { state.withLock { $0.tokens } }

  func count(_ change: (inout TokenCounts) -> Void) { state.withLock { change(&$0.tokens) } }
}

/// Tokens that a request was about.
struct TokenCounts: Sendable, Equatable {
  /// All of the prompt's.
  var prompt = 0
  /// Those of them that were known from an earlier request.
  var cached = 0
  var generated = 0
}

/// The requests in progress.
final class ActiveRequests: Sendable {
  private let scopes = Mutex<[ObjectIdentifier: RequestScope]>([:])

  var count: Int { scopes.withLock { $0.count } }

  func insert(_ scope: RequestScope) {
    scopes.withLock { $0[ObjectIdentifier(scope)] = scope }
  }

  func remove(_ scope: RequestScope) {
    _ = scopes.withLock { $0.removeValue(forKey: ObjectIdentifier(scope)) }
  }

  func cancelAll(_ reason: APIError) {
    for scope in scopes.withLock({ Array($0.values) }) { scope.cancel(reason) }
  }
}
