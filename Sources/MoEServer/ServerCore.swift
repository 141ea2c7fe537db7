import Logging
import MoECore
import Synchronization

/// What all requests of a server share.
final class ServerCore: Sendable {
  private enum Phase {
    case loading
    case ready(ServedModel)
    case draining(ServedModel?)
  }

  let options: ServerOptions
  let hooks: ServerHooks
  let logger: Logger
  let metrics = ServerMetrics()
  let active = ActiveRequests()
  let keys: APIKeys
  let origins: Origins
  let bodies: BodyReader
  let router = Router(EndpointRegistry.all)
  private let phase = Mutex(Phase.loading)
  /// Names of members that were logged as unknown.
  private let loggedNames = Mutex<Set<String>>([])
  /// Streams of `/v1/experts/live`.
  let viewerCount = Mutex(0)

  /// Unknown names that are remembered: they are strangers'.
  private static let loggedNameCountMax = 1000

  init(_ options: ServerOptions, hooks: ServerHooks, logger: Logger) {
    self.options = options
    self.hooks = hooks
    self.logger = logger
    keys = APIKeys(options.apiKeys)
    origins = Origins(allowed: options.corsOrigins, host: options.host)
    bodies = BodyReader(byteCountMax: options.bodyByteCountMax)
  }

  /// The model; throws while it loads, and where no more requests are taken.
  func model() throws(APIError) -> ServedModel {
    switch phase.withLock({ $0 }) {
    case .loading: throw .loading
    case .ready(let model): return model
    case .draining: throw .draining
    }
  }

  /// The model where it is loaded, for those who only want to know of it.
  var loadedModel: ServedModel? {
    switch phase.withLock({ $0 }) {
    case .loading: nil
    case .ready(let model): model
    case .draining(let model): model
    }
  }

  /// Whether the server is not about to end.
  var acceptsRequests: Bool {
    if case .draining = phase.withLock({ $0 }) { false } else { true }
  }

  func becomeReady(_ model: ServedModel) {
    phase.withLock { phase in
      if case .loading = phase { phase = .ready(model) }
    }
  }

  func becomeDraining() {
    phase.withLock { phase in
      switch phase {
      case .loading: phase = .draining(nil)
      case .ready(let model): phase = .draining(model)
      case .draining: break
      }
    }
  }

  /// Lets the model go.
  func forgetModel() { phase.withLock { $0 = .draining(nil) } }

  /// How often a stream whose prompt is read says so; nil: never.
  var tickInterval: Duration? {
    options.keepAliveComments ? hooks.keepAliveInterval : nil
  }

  /// Says once of each name that requests have it and that it is ignored.
  func log(_ unknown: UnknownFields, of endpoint: String) {
    let new = loggedNames.withLock { known in
      unknown.names.filter { name in
        known.count < Self.loggedNameCountMax && known.insert(name).inserted
      }
    }
    if new.isEmpty { return }
    let names = new.sorted().map(\.quotedForMessage).joined(separator: ", ")
    logger.notice("\(endpoint): unknown members are ignored: \(names)")
  }
}
