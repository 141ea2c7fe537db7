import HTTPTypes
import HummingbirdCore
import Logging
import MoECore
import NIOCore

/// Answers requests of HTTP: who is let in, what is asked for, and how the answer is written.
struct HTTPResponder: Sendable {
  let core: ServerCore

  /// The responder of a connection's requests, one after the other. Throws to close the connection.
  func respond(
    to request: Request, _ writer: consuming ResponseWriter, on channel: any Channel
  ) async throws {
    let start = MonotonicClock.nanoseconds()
    let presence = try await ConnectionWatch.presence(of: channel)
    let scope = RequestScope()
    core.active.insert(scope)
    presence.begin(scope)
    defer {
      presence.end()
      core.active.remove(scope)
    }
    var record = AccessRecord(method: request.method.rawValue, path: "")
    var (reply, isBodyRead) = (Reply.error(.clientLeft, as: APIError.clientLeft.json), true)
    do {
      let entry = try admit(request)
      switch entry {
      case .answered(let answer):
        (record.path, isBodyRead) = (Router.normalized(request.head.path ?? "/"), false)
        reply = answer
      case .endpoint(let match, let headers):
        record.path = match.endpoint.path
        if request.headers[.expect] != nil {
          try await writer.writeInformationalHead(HTTPResponse(status: .continue))
        }
        reply = await answer(request, match, scope, &record)
        for field in headers { reply.headers.append(field) }
      }
    } catch let error as APIError {
      (reply, isBodyRead) = (refusal(error, request), false)
      record.path = Router.normalized(request.head.path ?? "/")
    }
    if reply.status == APIError.clientLeft.status {
      finish(&record, reply.status, scope, since: start)
      throw CancellationError()
    }
    do {
      try await write(reply, isHead: request.method == .head, writer, scope)
      finish(&record, scope.end?.status ?? reply.status, scope, since: start)
    } catch {
      finish(&record, scope.end?.status ?? reply.status, scope, since: start)
      throw error
    }
    if !isBodyRead { try await core.bodies.discard(request.body) }
  }

  private enum Entry {
    case answered(Reply)
    case endpoint(Router.Match, headers: HTTPFields)
  }

  /// Whether a request is let in, judged by its head.
  private func admit(_ request: Request) throws(APIError) -> Entry {
    let (headers, authority) = (request.headers, request.head.authority)
    if request.method == .options {
      let methods = try core.router.methods(path: request.head.path ?? "/")
      var reply = Reply(status: 204, contentType: "text/plain", .bytes([]))
      reply.headers = try core.origins.preflight(
        headers, methods: methods, authority: authority)
      reply.headers[.allow] = methods
      return .answered(reply)
    }
    let allowing = try core.origins.check(origin: headers[.origin], authority: authority)
    do {
      let match = try core.router.match(method: request.method, path: request.head.path ?? "/")
      if match.endpoint.needsKey { try core.keys.check(headers) }
      try core.bodies.check(headers)
      return .endpoint(match, headers: allowing)
    } catch {
      var reply = refusal(error, request)
      for field in allowing { reply.headers.append(field) }
      return .answered(reply)
    }
  }

  private func refusal(_ error: APIError, _ request: Request) -> Reply {
    var reply = errorReply(error, isAnthropic(request.head.path) ? .anthropic : .openAI)
    if let methods = error.allowedMethods { reply.headers[.allow] = methods }
    if error.status == 401 { reply.headers[.wwwAuthenticate] = "Bearer" }
    return reply
  }

  private func isAnthropic(_ path: String?) -> Bool {
    Router.normalized(path ?? "").hasPrefix("/messages")
  }

  private func errorReply(_ error: APIError, _ form: Endpoint.ErrorForm) -> Reply {
    .error(error, as: form.json(error))
  }

  private func answer(
    _ request: Request, _ match: Router.Match, _ scope: RequestScope, _ record: inout AccessRecord
  ) async -> Reply {
    let endpoint = match.endpoint
    do {
      let (reply, shown) = try await core.bodies.withBody(request.body) { body, memory in
        let exchange = Exchange(
          core: core, scope: scope, parameter: match.parameter, body: .text(body),
          memory: memory)
        let shown = core.options.accessLogsPrompts ? AccessRecord.shown(body) : nil
        do {
          return (try await endpoint.respond(exchange), shown)
        } catch {
          return (errorReply(APIError(error), endpoint.errorForm), shown)
        }
      }
      record.body = shown
      return reply
    } catch {
      return errorReply(APIError(error), endpoint.errorForm)
    }
  }

  private func finish(
    _ record: inout AccessRecord, _ status: Int, _ scope: RequestScope, since start: UInt64
  ) {
    record.status = status
    record.milliseconds = Double(MonotonicClock.nanoseconds() - start) * 1e-6
    record.tokens = scope.tokens
    record.log(core.logger)
    core.metrics.countRequest(path: record.path, status: status)
  }

  private func write(
    _ reply: Reply, isHead: Bool, _ writer: consuming ResponseWriter, _ scope: RequestScope
  ) async throws {
    var headers = reply.headers
    headers[.date] = HTTPDate.now
    headers[.xContentTypeOptions] = "nosniff"
    switch reply.body {
    case .bytes(let bytes):
      if reply.status != 204 { headers[.contentLength] = "\(bytes.count)" }
      let head = HTTPResponse(status: .init(code: reply.status), headerFields: headers)
      if isHead || bytes.isEmpty {
        try await writer.writeResponse(head)
      } else {
        try await writer.write(
          response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
      }
    case .stream(let write):
      let head = HTTPResponse(status: .init(code: reply.status), headerFields: headers)
      if isHead { return try await writer.writeResponse(head) }
      let stream = StreamWriter(try await writer.writeHead(head), scope: scope)
      try await write(stream)
      try await stream.finish()
    }
  }
}
