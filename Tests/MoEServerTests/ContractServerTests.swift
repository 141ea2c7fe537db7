import Glibc
import MoECore
import MoERuntime
import MoEServer
import Testing

/// What clients rely on in everything else.
@Suite struct ContractServerTests {
  @Test func contract40TheModelIsListed() async throws {
    let server = TestServer(ScriptedSource("Hi")) { options, _ in
      options.modelName = "maker/model:small"
    }
    try await server.run { client in
      let list = try await client.get("/v1/models").json
      #expect(list["object"] == "list")
      let model = try #require(list["data", "0"])
      #expect(model["id"] == "maker/model:small")
      #expect(model["object"] == "model")
      #expect((model["created"]?.integer ?? 0) > 1_600_000_000)
      #expect(model["owned_by"]?.string != nil)
      for path in ["/v1/models/maker/model:small", "/v1/models/maker%2Fmodel%3Asmall"] {
        #expect(try await client.get(path).json == model)
      }
      let missing = try await client.get("/v1/models/gpt-4")
      #expect(missing.status == 404)
      #expect(try missing.error["code"] == "model_not_found")
      #expect(
        try await client.post("/v1/chat/completions", chatRequest).json["model"]
          == "maker/model:small")
    }
  }

  @Test func contract41ErrorsHaveTheForm() async throws {
    let server = TestServer(ScriptedSource("Hi")) { options, _ in
      options.bodyByteCountMax = 1000
    }
    try await server.run { client in
      let answers = [
        (404, try await client.get("/v1/nothing")), (404, try await client.get("/favicon.ico")),
        (405, try await client.get("/v1/chat/completions")),
        (405, try await client.send("DELETE", "/v1/models")),
        (
          413,
          try await client.send(
            "POST", "/v1/completions", body: [UInt8](repeating: 0x20, count: 2000))
        ),
        (400, try await client.post("/v1/chat/completions", [:])),
        (
          415,
          try await client.post(
            "/v1/completions", ["prompt": "a"], headers: ["Content-Encoding": "gzip"])
        ),
        (
          417, try await client.post("/v1/completions", [:], headers: ["Expect": "a miracle"])
        ),
      ]
      for (status, answer) in answers {
        #expect(answer.status == status)
        #expect(answer.headers["content-type"]?.hasPrefix("application/json") == true)
        let error = try answer.error
        #expect(error["message"]?.string?.isEmpty == false)
        #expect(error["type"]?.string?.isEmpty == false)
        #expect(error.names.contains("param") && error.names.contains("code"))
        if status == 405 { #expect(answer.headers["allow"]?.isEmpty == false) }
      }
    }
  }

  @Test func contract42APromptThatIsTooLongIsRefusedWithItsSize() async throws {
    try await TestServer().run { client in
      let long = JSON.string(String(repeating: "word ", count: 2000))
      for (path, request) in [
        ("/v1/chat/completions", ["messages": [["role": "user", "content": long]]]),
        ("/v1/completions", ["prompt": long]), ("/completion", ["prompt": long]),
        ("/v1/responses", ["input": long]),
        (
          "/v1/messages",
          ["messages": [["role": "user", "content": long]], "max_tokens": 4]
        ),
      ] as [(String, JSON)] {
        let answer = try await client.post(path, request)
        #expect(answer.status == 400)
        let error = try answer.error
        #expect(error["type"] == "exceed_context_size_error")
        #expect(error["n_ctx"]?.integer == TestServer.contextLength)
        #expect((error["n_prompt_tokens"]?.integer ?? 0) > TestServer.contextLength)
      }
      // So long that nobody counts its tokens.
      let endless = JSON.string(String(repeating: "word ", count: 2_000_000))
      for (path, request) in [
        ("/v1/chat/completions", ["messages": [["role": "user", "content": endless]]]),
        ("/v1/completions", ["prompt": endless]),
      ] as [(String, JSON)] {
        let error = try await client.post(path, request).error
        #expect(error["type"] == "exceed_context_size_error")
        #expect((error["n_prompt_tokens"]?.integer ?? 0) > TestServer.contextLength)
      }
    }
  }

  @Test func contract43AKeyIsNeededWhereOneIsSet() async throws {
    let server = TestServer(ScriptedSource("Hi")) { options, _ in
      options.apiKeys = ["sesame", "other"]
    }
    try await server.run { client in
      for headers in [
        [:], ["Authorization": "Bearer wrong"], ["Authorization": "Basic sesame"],
        ["Authorization": "sesame"], ["X-Api-Key": ""], ["X-Api-Key": "sesame2"],
      ] {
        for path in ["/v1/chat/completions", "/v1/messages"] {
          let answer = try await client.post(path, chatRequest, headers: headers)
          #expect(answer.status == 401)
          #expect(try answer.error["type"] == "authentication_error")
        }
        #expect(try await client.get("/metrics", headers: headers).status == 401)
      }
      for headers in [
        ["Authorization": "Bearer sesame"], ["authorization": "bearer other"],
        ["X-Api-Key": "sesame"],
      ] {
        let answer = try await client.post("/v1/chat/completions", chatRequest, headers: headers)
        #expect(answer.status == 200)
      }
      #expect(try await client.get("/health").status == 200)
      #expect(try await client.get("/").status == 200)
    }
    let candidates = [("sesame", true), ("sesam", false), ("sesamf", false), ("", false)]
    for (candidate, isEqual) in candidates {
      #expect(APIKeys.isEqual(Array(candidate.utf8), to: Array("sesame".utf8)) == isEqual)
    }
  }

  @Test func contract44OriginsAreChosen() async throws {
    let own = "http://localhost:8080"
    func preflight(_ client: HTTPClient, _ origin: String) async throws -> HTTPAnswer {
      try await client.send(
        "OPTIONS", "/v1/chat/completions",
        headers: [
          "Origin": origin, "Access-Control-Request-Method": "POST",
          "Access-Control-Request-Headers": "content-type, authorization",
        ])
    }
    try await TestServer(ScriptedSource("Hi")).run { client in
      let refused = try await preflight(client, "https://example.org")
      #expect(refused.status == 403)
      #expect(refused.headers["access-control-allow-origin"] == nil)
      let stranger = try await client.post(
        "/v1/chat/completions", chatRequest, headers: ["Origin": "https://example.org"])
      #expect(stranger.status == 403)
      #expect(try stranger.error["message"]?.string?.contains("example.org") == true)
      // The server's own page.
      let page = try await client.post(
        "/v1/chat/completions", chatRequest, headers: ["Origin": "http://localhost"])
      #expect(page.status == 200)
      #expect(page.headers["access-control-allow-origin"] == nil)
      // A stranger's name that was made to lead to this machine.
      let rebound = try await client.post(
        "/v1/chat/completions", chatRequest,
        headers: ["Host": "evil.example", "Origin": "http://evil.example"])
      #expect(rebound.status == 403)
    }
    let chosen = TestServer(ScriptedSource("Hi")) { options, _ in
      options.corsOrigins = ["https://example.org"]
    }
    try await chosen.run { client in
      let allowed = try await preflight(client, "https://example.org")
      #expect(allowed.status == 204)
      #expect(allowed.headers["access-control-allow-origin"] == "https://example.org")
      #expect(allowed.headers["access-control-allow-methods"]?.contains("POST") == true)
      #expect(
        allowed.headers["access-control-allow-headers"] == "content-type, authorization")
      #expect(allowed.headers["vary"] == "Origin")
      #expect(try await preflight(client, own).status == 403)
      for request in [chatRequest, [:]] {
        let answer = try await client.post(
          "/v1/chat/completions", request, headers: ["Origin": "https://example.org"])
        #expect(answer.headers["access-control-allow-origin"] == "https://example.org")
      }
    }
    let all = TestServer(ScriptedSource("Hi")) { options, _ in options.corsOrigins = ["*"] }
    try await all.run { client in
      let allowed = try await preflight(client, "https://example.org")
      #expect(allowed.headers["access-control-allow-origin"] == "*")
    }
  }

  @Test func contract45ThePortIsOpenWhileTheModelLoads() async throws {
    let gate = Locked(false)
    try await TestServer().runLoading({
      while !gate.with({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
      return try await TestServer.sharedEngine
    }) { client in
      for path in ["/health", "/v1/models"] {
        let answer = try await client.get(path)
        #expect(answer.status == 503)
        #expect(try answer.error["message"]?.string?.contains("loading") == true)
        #expect(answer.headers["retry-after"] != nil)
      }
      #expect(try await client.post("/v1/chat/completions", chatRequest).status == 503)
      #expect(try await client.get("/metrics").status == 200)
      gate.with { $0 = true }
      try await TestServer.wait(for: "the model") { try await client.get("/health").status == 200 }
    }
  }

  @Test(arguments: [true, false])
  func contract46AClientThatLeavesFreesItsPlace(_ streams: Bool) async throws {
    let engine = try await TestServer.engine { $0.queueLength = 4 }
    try await TestServer().run(engine) { client in
      let request = chatRequest.with("ignore_eos", true).with("stream", .bool(streams))
      // One that runs, and one that waits behind it.
      let running = try await client.open("/v1/chat/completions", request)
      try await TestServer.wait(for: "the first") { engine.load.runningCount == 1 }
      let waiting = try await client.open("/v1/chat/completions", request)
      try await TestServer.wait(for: "the second") {
        engine.load.waitingCount == 1 || engine.load.runningCount == 0
      }
      waiting.connection.close()
      running.connection.close()
      try await TestServer.wait(for: "both places") {
        engine.load.runningCount == 0 && engine.load.waitingCount == 0
      }
      try await TestServer.wait(for: "the count") {
        try await client.get("/metrics").text.contains("status=\"499\"")
      }
      #expect(try await client.post("/v1/chat/completions", chatRequest).status == 200)
    }
  }

  @Test(arguments: [true, false])
  func contract46AClientThatLeavesIsNotReadOn(_ streams: Bool) async throws {
    // In prefill, and in the midst of the text.
    for pieces in [[], ["Once ", "upon "]] {
      let source = ScriptedSource { _ in
        var script = ScriptedSource.Script(pieces)
        script.staysOpen = true
        if pieces.isEmpty { script.isRead = { false } }
        return script
      }
      try await TestServer(source).run { client in
        let reader = try await client.open(
          "/v1/chat/completions", chatRequest.with("stream", .bool(streams)))
        try await TestServer.wait(for: "the text's begin") { source.calls.count == 1 }
        #expect(source.stopCount == 0)
        reader.connection.close()
        try await TestServer.wait(for: "the text's end") { source.stopCount == 1 }
        // One that says that it sends no more is gone too.
        let half = try await client.open(
          "/v1/chat/completions", chatRequest.with("stream", .bool(streams)))
        try await TestServer.wait(for: "the text's begin") { source.calls.count == 2 }
        half.connection.finishSending()
        try await TestServer.wait(for: "the text's end") { source.stopCount == 2 }
      }
    }
  }

  @Test(arguments: [
    "/v1/embeddings", "/v1/images/generations", "/v1/audio/speech", "/v1/moderations", "/rerank",
  ])
  func contract47WhatIsNotOfferedSaysWhatIs(_ path: String) async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answer = try await client.post(path, ["input": "a"])
      #expect(answer.status == 501)
      #expect(try answer.error["message"]?.string?.contains("/v1/chat/completions") == true)
    }
  }

  @Test func contract48AFullQueueIsToldWithWhenToTryAgain() async throws {
    let engine = try await TestServer.engine { $0.queueLength = 1 }
    // Two texts that stand still for as long as is looked.
    let isHeld = Locked(true)
    defer { isHeld.with { $0 = false } }
    var held = GenerationOptions()
    held.changesLogits = { _, _ in while isHeld.with({ $0 }) { usleep(1_000) } }
    try await TestServer().run(engine) { client in
      let first = engine.generate("Once", held)
      try await TestServer.wait(for: "the first") { engine.load.runningCount == 1 }
      let second = engine.generate("Once", held)
      try await TestServer.wait(for: "the second") { engine.load.waitingCount == 1 }
      for stream: JSON in [true, false] {
        let refused = try await client.post(
          "/v1/chat/completions", chatRequest.with("stream", stream))
        #expect(refused.status == 429)
        #expect(Int(refused.headers["retry-after"] ?? "") ?? 0 >= 1)
        #expect(try refused.error["code"] == "queue_full")
      }
      first.stop()
      second.stop()
      isHeld.with { $0 = false }
    }
  }
}
