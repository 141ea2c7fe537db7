import Foundation
import MoECore
import MoERuntime
import MoEServer
import Testing

/// How a server begins and ends, and its connections.
@Suite struct LifecycleTests {
  private static func source(_ gate: Locked<Bool>) -> ScriptedSource {
    ScriptedSource { _ in
      var script = ScriptedSource.Script(["Once ", "upon "])
      script.isRead = { gate.with { $0 } }
      return script
    }
  }

  @Test func whatRunsMayFinishWhenTheServerEnds() async throws {
    let gate = Locked(false)
    let source = Self.source(gate)
    let (client, run) = try await TestServer(source).start()
    try await TestServer.wait(for: "the model") { try await client.get("/health").status == 200 }
    let reader = try await client.open("/v1/chat/completions", chatRequest)
    try await TestServer.wait(for: "the text's begin") { source.calls.count == 1 }
    run.cancel()
    try await TestServer.wait(for: "the refusal") {
      try await client.post("/v1/chat/completions", chatRequest).status == 503
    }
    #expect(try await client.get("/health").status == 503)
    gate.with { $0 = true }
    #expect(
      try await reader.answer().json["choices", "0", "message", "content"] == "Once upon ")
    try await run.value
    #expect(throws: RawConnection.Failure.self) { try RawConnection(port: client.port) }
  }

  @Test(arguments: [true, false])
  func whatRunsTooLongIsCancelled(_ streams: Bool) async throws {
    let source = Self.source(Locked(false))
    let server = TestServer(source) { options, _ in options.drainSeconds = 0.05 }
    let (client, run) = try await server.start()
    try await TestServer.wait(for: "the model") { try await client.get("/health").status == 200 }
    let reader = try await client.open(
      "/v1/chat/completions", chatRequest.with("stream", .bool(streams)))
    try await TestServer.wait(for: "the text's begin") { source.calls.count == 1 }
    run.cancel()
    let answer = try await reader.answer()
    #expect(answer.text.contains("shutting down"))
    if !streams { #expect(answer.status == 503) }
    try await run.value
    #expect(source.stopCount == 1)
  }

  @Test func aPortThatIsTakenIsAnError() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      var second = TestServer(ScriptedSource("Hi"))
      second.options.port = client.port
      await #expect(throws: ServerError.self) { _ = try await second.start() }
    }
  }

  @Test func aModelThatCannotBeLoadedEndsTheServer() async throws {
    let (_, run) = try await TestServer().start { throw EngineError.store("no such model") }
    let error = await #expect(throws: EngineError.self) { try await run.value }
    #expect(error?.description == "no such model")
  }

  @Test func optionsThatHaveNoMeaningAreRefused() async throws {
    for change: @Sendable (inout ServerOptions) -> Void in [
      { $0.port = 70_000 }, { $0.bodyByteCountMax = 0 }, { $0.drainSeconds = -1 },
      { $0.tlsKeyPath = "key.pem" },
      { ($0.tlsKeyPath, $0.tlsCertificatePath) = ("no.pem", "such.pem") },
    ] {
      let server = TestServer { options, _ in change(&options) }
      await #expect(throws: ServerError.self) { _ = try await server.start() }
    }
  }

  @Test func aConnectionTakesOneRequestAfterAnother() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let connection = try RawConnection(port: client.port)
      let body = Array(chatRequest.jsonText.utf8)
      let request = HTTPClient.head("POST", "/v1/chat/completions", [:], byteCount: body.count)
      // The second before the first is answered.
      try await connection.send(request + body + request + body)
      let reader = HTTPReader(connection)
      for _ in 0..<2 { #expect(try await reader.answer().status == 200) }
      try await connection.send("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(try await reader.answer().status == 404)
      try await connection.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
      let head = try await reader.answer(isHead: true)
      #expect(head.status == 200 && head.headers["content-length"] == "15")
      #expect(head.headers["date"]?.hasSuffix(" GMT") == true)
    }
  }

  @Test func aClientThatReadsNothingLosesItsConnection() async throws {
    let source = ScriptedSource { _ in
      ScriptedSource.Script(
        [String](repeating: String(repeating: "word ", count: 2000), count: 1000))
    }
    let server = TestServer(source) { options, _ in options.clientStallSeconds = 1 }
    try await server.run { client in
      let reader = try await client.open(
        "/v1/chat/completions", chatRequest.with("stream", true))
      try await TestServer.wait(for: "the connection's end") {
        try await client.get("/metrics").text.contains("status=\"499\"")
      }
      reader.connection.close()
    }
  }

  @Test func theLogHasALineForEachRequestAndNoText() async throws {
    for showsText in [false, true] {
      let log = TestLog()
      let server = TestServer(ScriptedSource("Hello")) { options, _ in
        options.accessLogsPrompts = showsText
      }
      try await server.run(log: log) { client in
        _ = try await client.post("/v1/chat/completions", chatRequest)
        _ = try await client.get("/no\u{1B}[31mthing")
        _ = try await client.get("/v1/nothing")
      }
      let line = try #require(log.lines.first { $0.contains("/chat/completions") })
      #expect(line.hasPrefix("info POST /chat/completions 200 "))
      #expect(line.contains(" ms, ") && line.contains(" + 5 tokens, 0 cached"))
      #expect(line.contains("Tell me a story") == showsText)
      #expect(log.lines.contains { $0.hasPrefix("info GET /nothing 404 ") })
      #expect(!log.lines.contains { $0.contains("\u{1B}") })
    }
  }

  #if TLS
    @Test func tlsIsServedWithACertificate() async throws {
      let curl = "/usr/bin/curl"
      guard FileManager.default.isExecutableFile(atPath: curl) else {
        try Test.cancel("no curl, with which TLS is asked")
      }
      let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/tls")
      let certificate = folder.appending(path: "certificate.pem").path
      var server = TestServer(ScriptedSource("Hi"))
      server.options.tlsCertificatePath = certificate
      server.options.tlsKeyPath = folder.appending(path: "key.pem").path
      let (client, run) = try await server.start()
      let output = try await Self.output(
        of: curl,
        [
          "--silent", "--retry", "20", "--retry-delay", "1", "--retry-connrefused", "--cacert",
          certificate, "https://localhost:\(client.port)/health",
        ])
      #expect(output.hasSuffix("{\"status\":\"ok\"}"))
      run.cancel()
      try await run.value
    }
  #endif

  private static func output(of program: String, _ arguments: [String]) async throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    await withCheckedContinuation { continuation in
      process.terminationHandler = { _ in continuation.resume() }
      do { try process.run() } catch { continuation.resume() }
    }
    return String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
  }
}
