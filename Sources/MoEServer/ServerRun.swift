import HummingbirdCore
#if TLS
  import HummingbirdTLS
#endif
import Logging
import MoERuntime
import NIOCore
import NIOPosix

/// One run of a server, from opening its port to its end.
struct ServerRun: Sendable {
  /// Why a run ends by itself.
  private enum Failure: Sendable {
    case listening(any Error)
    case loading(any Error)
  }

  private let options: ServerOptions
  private let core: ServerCore
  private let loading: @Sendable () async throws -> Engine
  private let listening: @Sendable (Int) -> Void

  /// After the limit of draining, what cancelled requests and connections may take to end.
  private static let endMax = Duration.seconds(2)

  init(
    _ server: Server, loading: @escaping @Sendable () async throws -> Engine,
    listening: @escaping @Sendable (Int) -> Void
  ) {
    options = server.options
    core = ServerCore(server.options, hooks: server.hooks, logger: server.logger)
    self.loading = loading
    self.listening = listening
  }

  func run() async throws {
    let responder = HTTPResponder(core: core)
    let stallTimeMax = TimeAmount.seconds(Int64(options.clientStallSeconds))
    let plain = HTTP1Channel(
      responder: { request, writer, channel in
        try await responder.respond(to: request, writer, on: channel)
      },
      configuration: .init(
        additionalChannelHandlers: [ConnectionWatch(stallTimeMax: stallTimeMax)],
        idleTimeout: stallTimeMax))
    guard options.tlsCertificatePath != nil else { return try await run(plain) }
    #if TLS
      let configuration = try options.tlsConfiguration()
      let channel: TLSChannel<HTTP1Channel>
      do {
        channel = try TLSChannel(plain, tlsConfiguration: configuration)
      } catch {
        throw ServerError.tls("the certificate and its key do not serve TLS: \(error)")
      }
      try await run(channel)
    #else
      throw ServerError.tls(
        "this program was built without TLS; build it with the trait TLS, or put a reverse proxy "
          + "that has the certificate before it")
    #endif
  }

  private func run(_ channel: some ServerChildChannel) async throws {
    // One thread is enough to move the bytes of texts; the others are for the model.
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let listening = listening
    var quiet = core.logger
    quiet.logLevel = .error
    let server = HummingbirdCore.Server(
      childChannelSetup: channel,
      configuration: ServerConfiguration(
        address: .hostname(options.host, port: options.port),
        availableConnectionsDelegate: MaximumAvailableConnections(
          options.connectionCountMax, logger: quiet)),
      onServerRunning: { channel in
        if let port = channel.localAddress?.port { listening(port) }
      },
      eventLoopGroup: group, logger: quiet)

    let (failures, failure) = AsyncStream<Failure>.makeStream()
    let serving = Task {
      do { try await server.run() } catch { failure.yield(.listening(error)) }
    }
    let load = Task { await self.load(failure) }
    var first: Failure?
    for await found in failures {
      first = found
      break
    }
    // The task may be cancelled by now, and what is left to be done must not be.
    await Task { [first] in
      load.cancel()
      await drain(isFailed: first != nil)
      await end(server, serving)
      core.forgetModel()
      try? await group.shutdownGracefully()
    }.value
    switch first {
    case .listening(let error):
      throw ServerError.cannotListen(
        host: options.host, port: options.port, reason: "\(error)")
    case .loading(let error): throw error
    case nil: break
    }
  }

  private func load(_ failure: AsyncStream<Failure>.Continuation) async {
    do {
      let engine = try await loading()
      core.becomeReady(try ServedModel(engine, options: options, hooks: core.hooks))
    } catch {
      failure.yield(.loading(error))
    }
  }

  /// Lets what is running finish, as long as it may, and then has it end.
  private func drain(isFailed: Bool) async {
    core.becomeDraining()
    if !isFailed { await waitForRequests(atMost: .seconds(options.drainSeconds)) }
    core.active.cancelAll(.draining)
    await waitForRequests(atMost: Self.endMax)
  }

  private func waitForRequests(atMost limit: Duration) async {
    let end = ContinuousClock.now + limit
    while core.active.count > 0, ContinuousClock.now < end {
      try? await Task.sleep(for: .milliseconds(10))
    }
  }

  /// Closes the port and the connections.
  private func end<Channel: ServerChildChannel>(
    _ server: HummingbirdCore.Server<Channel>, _ serving: Task<Void, Never>
  ) async {
    let closing = Task {
      try? await server.shutdownGracefully()
    }
    let limit = Task {
      try? await Task.sleep(for: Self.endMax)
      // Whoever still holds a connection loses it.
      serving.cancel()
    }
    await serving.value
    limit.cancel()
    closing.cancel()
  }
}

#if TLS
  extension ServerOptions {
    /// What TLS is done with.
    fileprivate func tlsConfiguration() throws(ServerError) -> TLSConfiguration {
      guard let tlsCertificatePath, let tlsKeyPath else {
        throw .tls("TLS needs a certificate and its key")
      }
      do {
        let certificates = try NIOSSLCertificate.fromPEMFile(tlsCertificatePath)
        guard !certificates.isEmpty else {
          throw ServerError.tls("'\(tlsCertificatePath)' has no certificate; give a file in PEM")
        }
        return TLSConfiguration.makeServerConfiguration(
          certificateChain: certificates.map { .certificate($0) },
          privateKey: .privateKey(try NIOSSLPrivateKey(file: tlsKeyPath, format: .pem)))
      } catch let error as ServerError {
        throw error
      } catch {
        throw .tls(
          "the certificate '\(tlsCertificatePath)' or its key '\(tlsKeyPath)' can't be read: "
            + "\(error)"
        )
      }
    }
  }
#endif
