import MoECore
import MoEServer
import Testing

/// What is served beside texts.
@Suite struct PageTests {
  @Test func thePageMayRunItsOwnProgramsAlone() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answers = [try await client.get("/"), try await client.get("/")]
      var nonces: Set<String> = []
      for answer in answers {
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"]?.hasPrefix("text/html") == true)
        let policy = try #require(answer.headers["content-security-policy"])
        #expect(policy.contains("default-src 'none'") && !policy.contains("unsafe"))
        let start = try #require(policy.firstRange(of: "'nonce-"))
        let nonce = String(policy[start.upperBound...].prefix { $0 != "'" })
        #expect(nonce.count >= 20)
        nonces.insert(nonce)
        // Each of its own programs and styles has the word.
        for element in ["<script", "<style"] {
          let count = answer.text.ranges(of: element).count
          #expect(count > 0)
          #expect(answer.text.ranges(of: "\(element) nonce=\"\(nonce)\"").count == count)
        }
      }
      #expect(nonces.count == 2)
    }
  }

  @Test func theDescriptionHasEveryEndpoint() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answer = try await client.get("/openapi.json")
      let json = try answer.json
      #expect(json["openapi"] == "3.1.0")
      let paths = try #require(json["paths"])
      for path in ["/chat/completions", "/messages/count_tokens", "/models/{id}", "/metrics", "/"] {
        #expect(paths.names.contains(path))
      }
      // What it says is there is.
      for path in paths.names where !path.contains("{") && path != "/experts/live" {
        for method in paths[path]?.names ?? [] {
          let answer = try await client.send(
            method.uppercased(), "/v1" + path, body: method == "post" ? Array("{}".utf8) : [])
          #expect(answer.status != 404 && answer.status != 405)
          #expect(paths[path, method, "responses"]?.names.contains("\(answer.status)") == true)
        }
      }
    }
  }

  @Test func metricsCountWhatWasDone() async throws {
    try await TestServer().run { client in
      for _ in 0..<2 {
        _ = try await client.post(
          "/v1/chat/completions", chatRequest.with("max_tokens", 5).with("ignore_eos", true))
      }
      _ = try await client.get("/made/up")
      let text = try await client.get("/metrics").text
      for line in [
        "moe_requests_total{endpoint=\"/chat/completions\",status=\"200\"} 2",
        "moe_requests_total{endpoint=\"other\",status=\"404\"} 1",
        "moe_generated_tokens_total 10", "moe_time_to_first_token_seconds_count 2",
        "moe_time_between_tokens_seconds_count 8",
        "moe_time_to_first_token_seconds_bucket{le=\"+Inf\"} 2",
      ] {
        #expect(text.contains(line + "\n"), "\(line)")
      }
      for name in [
        "moe_expert_hit_rate", "moe_read_mebibytes_total", "moe_stall_seconds_total",
        "moe_memory_headroom_bytes", "moe_requests_waiting", "moe_requests_running",
        "moe_cached_tokens_total",
      ] {
        #expect(text.contains("\n\(name) "))
      }
      // Every metric is described before it has values.
      var described: Set<Substring> = []
      for line in text.split(separator: "\n") {
        if line.hasPrefix("# TYPE ") {
          described.insert(line.split(separator: " ")[2])
        } else if !line.hasPrefix("#") {
          let name = line.prefix { $0 != "{" && $0 != " " }
          let base = ["_bucket", "_sum", "_count"].reduce(name) { name, end in
            name.hasSuffix(end) && described.contains(name.dropLast(end.count))
              ? name.dropLast(end.count) : name
          }
          #expect(described.contains(base))
        }
      }
    }
  }

  @Test func whatTheExpertsDoIsStreamed() async throws {
    let count = Locked(0)
    let server = TestServer(ScriptedSource("Hi")) { _, hooks in
      hooks.liveStatus = {
        let number = count.with { count in
          count += 1
          return count
        }
        return ["layers": 4, "number": .integer(number)]
      }
    }
    try await server.run { client in
      let connection = try RawConnection(port: client.port)
      try await connection.send("GET /v1/experts/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
      let reader = HTTPReader(connection)
      let head = try await reader.head()
      #expect(head.headers["content-type"]?.hasPrefix("text/event-stream") == true)
      for number in 1...2 {
        let chunk = try #require(try await reader.chunk())
        let event = try #require(StreamEvent.all(String(decoding: chunk, as: UTF8.self)).first)
        #expect(try event.json == ["layers": 4, "number": .integer(number)])
      }
      connection.close()
    }
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answer = try await client.get("/v1/experts/live")
      #expect(answer.status == 501)
    }
  }
}
