import Logging
import MoECore
import MoERuntime
import MoEServer
import MoETestSupport
import Synchronization
import Testing

/// A server of the tests: on a port of its own, with the small trained model.
struct TestServer {
  var options = ServerOptions()
  var hooks = ServerHooks()

  init(
    _ source: ScriptedSource? = nil, template: String? = nil,
    _ change: (inout ServerOptions, inout ServerHooks) -> Void = { _, _ in }
  ) {
    options.port = 0
    options.slotCount = 4
    // Comments come where a test asks for them, not where the machine is slow.
    hooks.keepAliveInterval = .seconds(3600)
    if let template { hooks.chatTemplate = .text(template) }
    if let source { hooks.textSource = { _ in source } }
    change(&options, &hooks)
  }

  /// Positions of the shared engine's context.
  static let contextLength = 512

  /// The engine that most tests share: loaded once.
  private static let shared = Task {
    try await engine { options in
      options.parallelRequestCount = 8
      options.keptStateCount = 4
    }
  }

  static var sharedEngine: Engine { get async throws { try await shared.value } }

  static func engine(_ change: (inout EngineOptions) -> Void) async throws -> Engine {
    var options = EngineOptions()
    options.contextLength = contextLength
    // What the process of all suites holds counts as well.
    options.memory = .bytes(12 << 30)
    change(&options)
    return try await Engine(modelAt: TrainedModel.path, options: options)
  }

  /// Serves while a closure runs, from the moment at which the model is ready.
  func run(
    _ engine: Engine? = nil, log: TestLog = TestLog(),
    _ body: (HTTPClient) async throws -> Void
  ) async throws {
    try await runLoading(
      {
        if let engine { return engine }
        return try await Self.sharedEngine
      }, log: log
    ) { client in
      while try await client.get("/health").status != 200 {}
      try await body(client)
    }
  }

  /// The same with a model that is loaded by a closure, and without waiting for it.
  func runLoading(
    _ loading: @escaping @Sendable () async throws -> Engine, log: TestLog = TestLog(),
    _ body: (HTTPClient) async throws -> Void
  ) async throws {
    let (client, run) = try await start(loading, log: log)
    do {
      try await body(client)
    } catch {
      run.cancel()
      _ = await run.result
      throw error
    }
    run.cancel()
    try await run.value
  }

  /// Serves until the task that is returned is cancelled.
  func start(
    _ loading: @escaping @Sendable () async throws -> Engine = { try await sharedEngine },
    log: TestLog = TestLog()
  ) async throws -> (client: HTTPClient, run: Task<Void, any Error>) {
    var server = Server(options, logger: log.logger)
    server.hooks = hooks
    let (ports, port) = AsyncStream<Int>.makeStream()
    let run = Task { [server] in
      defer { port.finish() }
      try await server.run(loading: loading) { port.yield($0) }
    }
    guard let number = await ports.first(where: { _ in true }) else {
      try await run.value
      throw RawConnection.Failure(description: "the server did not listen")
    }
    return (HTTPClient(port: number), run)
  }

  /// Waits for something to become true; fails where it does not.
  static func wait(
    for what: String, _ isTrue: () async throws -> Bool
  ) async throws {
    let end = ContinuousClock.now + .seconds(RawConnection.secondsMax)
    while try await !isTrue() {
      guard ContinuousClock.now < end else {
        Issue.record("waited in vain for \(what)")
        return
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }
}

/// Collects what a server logs.
final class TestLog: Sendable {
  private let collected = Mutex<[String]>([])

  var lines: [String] { collected.withLock { $0 } }

  var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

  fileprivate func add(_ line: String) { collected.withLock { $0.append(line) } }

  private struct Handler: LogHandler {
    let log: TestLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { log.add("\(event.level) \(event.message)") }
  }
}

/// Templates that tests use.
enum Templates {
  /// Qwen's form: thinking, tools, all messages where they stand.
  static let qwen = """
    {%- if tools %}{{ '<|im_start|>system\\nCall tools in <tool_call></tool_call>: ' }}\
    {{ tools | tojson }}{{ '<|im_end|>\\n' }}{% endif -%}
    {%- for message in messages -%}
    {{- '<|im_start|>' ~ message.role ~ '\\n' -}}
    {%- if message.reasoning_content %}{{ '<think>' ~ message.reasoning_content ~ '</think>' }}\
    {% endif -%}
    {{- message.content ~ '<|im_end|>\\n' -}}
    {%- endfor -%}
    {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}\
    {%- if enable_thinking is defined and not enable_thinking %}{{ '<think></think>' }}{% endif -%}
    {% endif -%}
    """

  /// Takes a system message at the front alone.
  static let strict = """
    {%- for message in messages -%}
    {%- if message.role == 'system' and not loop.first %}\
    {{ raise_exception('System message must be at the beginning.') }}{% endif -%}
    {{- '<' ~ message.role ~ '>' ~ message.content -}}
    {%- endfor -%}
    """

  /// Knows no system messages.
  static let userOnly = """
    {%- for message in messages -%}
    {%- if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif -%}
    {{- '<' ~ message.role ~ '>' ~ message.content -}}
    {%- endfor -%}
    """
}

extension JSON: ExpressibleByFloatLiteral {
  package init(floatLiteral value: Double) { self = .number("\(value)") }
}

extension JSON {
  var string: String? { if case .string(let text) = self { text } else { nil } }
  var integer: Int? { if case .number(let text) = self { Int(text) } else { nil } }
  var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }
  var array: [JSON] { if case .array(let elements) = self { elements } else { [] } }
  var names: [String] { if case .object(let members) = self { members.map(\.name) } else { [] } }

  /// A value within others.
  subscript(path: String...) -> JSON? {
    var value: JSON? = self
    for step in path {
      if let index = Int(step), case .array(let elements)? = value {
        value = elements.indices.contains(index) ? elements[index] : nil
      } else {
        value = value?[step]
      }
    }
    return value
  }

  /// The object with a member in place of the one of its name.
  func with(_ name: String, _ value: JSON) -> JSON {
    guard case .object(let members) = self else { return self }
    return .object(members.filter { $0.name != name } + [JSONMember(name: name, value: value)])
  }
}

/// The shortest request for a chat completion.
let chatRequest: JSON = ["messages": [["role": "user", "content": "Tell me a story"]]]
