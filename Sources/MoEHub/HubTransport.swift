#if TLS
  private import AsyncHTTPClient
  private import NIOCore
  private import NIOHTTP1

  /// Requests by HTTP: which host gets the token, which redirects are followed, what an answer's
  /// status means.
  final class HubTransport: Sendable {
    private let client: HTTPClient
    private let endpoint: HubAddress
    private let token: String?

    private static let redirectCountMax = 5

    init(_ settings: HubSettings) {
      endpoint = settings.endpoint
      token = settings.token
      var configuration = HTTPClient.Configuration()
      // Followed here: the token must not go where the hub sends us.
      configuration.redirectConfiguration = .disallow
      // Files side by side are to have connections of their own.
      configuration.httpVersion = .http1Only
      configuration.timeout.connect = TimeAmount(settings.connectTimeout)
      configuration.timeout.read = TimeAmount(settings.idleTimeout)
      configuration.connectionPool.retryConnectionEstablishment = false
      client = HTTPClient(
        eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Ends all connections. Nothing is asked behind it.
    func close() async { try? await client.shutdown() }

    /// What a request is about, for sentences.
    struct Subject {
      let what: String
      /// Where people read about it.
      let page: String
    }

    /// Asks the hub for something and follows where it sends us. The answer's status is 200, 206 or
    /// 416.
    func get(
      _ address: HubAddress, headers: [(String, String)] = [], _ subject: Subject
    ) async throws(HubError) -> HubAnswer {
      var address = address
      var linked = HubAnswer.Linked()
      for _ in 0...Self.redirectCountMax {
        let answer = try await send(address, headers: headers)
        let status = Int(answer.status.code)
        if linked.byteCount == nil {
          linked.byteCount = answer.headers.first(name: "x-linked-size").flatMap { Int($0) }
        }
        switch status {
        case 200, 206, 416:
          return HubAnswer(answer, status: status, host: address.host, linked: linked)
        case 301, 302, 303, 307, 308:
          address = try redirect(from: address, to: answer.headers.first(name: "location"), subject)
        default: throw failure(answer, at: address, subject)
        }
      }
      throw .badAnswer(
        what: subject.what, wanted: "at most \(Self.redirectCountMax) redirects", found: "more")
    }

    private func send(
      _ address: HubAddress, headers: [(String, String)]
    ) async throws(HubError) -> HTTPClientResponse {
      var request = HTTPClientRequest(url: address.text)
      request.headers.add(name: "User-Agent", value: "moe-run")
      for (name, value) in headers { request.headers.add(name: name, value: value) }
      if let token, address.origin == endpoint.origin {
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
      }
      do {
        return try await client.execute(request, deadline: .distantFuture)
      } catch {
        throw TransportReason(error).unanswered(host: address.host)
      }
    }

    private func redirect(
      from address: HubAddress, to location: String?, _ subject: Subject
    ) throws(HubError) -> HubAddress {
      guard let location, let next = address.resolving(location) else {
        throw .badAnswer(
          what: subject.what, wanted: "an address to go on to", found: "none from \(address.host)")
      }
      guard next.isEncrypted || !address.isEncrypted else {
        throw .badAnswer(
          what: subject.what, wanted: "an encrypted address to go on to",
          found: "one of \(next.host) that is not")
      }
      return next
    }

    private func failure(
      _ answer: HTTPClientResponse, at address: HubAddress, _ subject: Subject
    ) -> HubError {
      let status = Int(answer.status.code)
      if status == 429 || (500...599).contains(status) {
        let seconds = answer.headers.first(name: "retry-after").flatMap { Int($0) }
        return .busy(
          host: address.host, status: status,
          retryAfterSeconds: seconds.flatMap { $0 >= 0 ? $0 : nil })
      }
      guard [401, 403, 404, 410].contains(status) else {
        return .refused(what: subject.what, host: address.host, status: status)
      }
      // The signed addresses of stores for files are good for some time only.
      if address.origin != endpoint.origin { return .expired(host: address.host, status: status) }
      let hasToken = token != nil
      // Who may not know whether there is such a model is told 401.
      if status == 404 || status == 410
        || answer.headers.first(name: "x-error-code") == "RepoNotFound"
      {
        return .notFound(what: subject.what, host: address.host, hasToken: hasToken)
      }
      return .needsAccess(what: subject.what, page: subject.page, hasToken: hasToken)
    }
  }

  extension TimeAmount {
    fileprivate init(_ duration: Duration) {
      let (seconds, attoseconds) = duration.components
      self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
  }
#endif
