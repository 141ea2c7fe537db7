import MoECore
import MoERuntime
import MoEServer
import Testing

/// llama-server's own interface.
@Suite struct LlamaTests {
  @Test func aCompletionHasTheForm() async throws {
    try await TestServer().run { client in
      let request: JSON = [
        "prompt": "Once upon a", "n_predict": 5, "temperature": 0, "return_tokens": true,
        "n_probs": 2,
      ]
      let json = try await client.post("/completion", request).json
      let content = try #require(json["content"]?.string)
      let tokens = try #require(json["tokens"])
      #expect(json["stop"] == true && json["stop_type"] == "limit")
      #expect(json["tokens_predicted"] == 5)
      #expect(json["timings", "predicted_n"] == 5)
      #expect(json["generation_settings", "temperature"]?.double == 0)
      #expect(json["completion_probabilities"]?.array.count == 5)
      #expect(json["completion_probabilities", "0", "top_logprobs"]?.array.count == 2)
      #expect(
        try await client.post("/detokenize", ["tokens": tokens]).json["content"]?.string == content)
      let events = try await client.post("/completion", request.with("stream", true)).dataEvents
      let parts = try events.map { try $0.json }
      #expect(parts.compactMap { $0["content"]?.string }.joined() == content)
      #expect(parts.dropLast().allSatisfy { $0["stop"] == false })
      #expect(parts.last?["stop"] == true)
      let list = try await client.post(
        "/completion", request.with("prompt", ["Once upon a", [12, 13]]))
      #expect(try list.json.array.count == 2)
    }
  }

  @Test func aPromptMayMixTextAndTokens() async throws {
    let source = ScriptedSource("Hi")
    try await TestServer(source).run { client in
      let answer = try await client.post(
        "/completion", ["prompt": [1, "user\nHello", 2, "<|im_start|>"]])
      // A text beside tokens: one prompt.
      #expect(try answer.json["content"] == "Hi")
    }
    let prompt = try #require(source.calls.first).prompt
    #expect(prompt.first == 1 && prompt.last == 1 && prompt.contains(2))
  }

  @Test func textsBecomeTokensAndBack() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let text = "Hello, wörld! <|im_end|>"
      let answer = try await client.post(
        "/tokenize", ["content": .string(text), "with_pieces": true])
      let tokens = try #require(answer.json["tokens"]).array
      #expect(tokens.last?["id"] == 2 && tokens.last?["piece"] == "<|im_end|>")
      let ids = JSON.array(tokens.compactMap { $0["id"] })
      #expect(
        try await client.post("/detokenize", ["tokens": ids]).json["content"]?.string == text)
      let plain = try await client.post(
        "/tokenize", ["content": .string(text), "parse_special": false])
      #expect(try plain.json["tokens"]?.array.contains(2) == false)
      for wrong: JSON in [["tokens": [-1]], ["tokens": [99_999]], ["tokens": "a"], [:]] {
        #expect(try await client.post("/detokenize", wrong).status == 400)
      }
      #expect(try await client.post("/tokenize", ["content": 5]).status == 400)
    }
  }

  @Test func whatIsServedIsTold() async throws {
    let gate = ScriptedSource { _ in
      var script = ScriptedSource.Script(["a", "b"])
      script.staysOpen = true
      return script
    }
    try await TestServer(gate).run { client in
      let props = try await client.get("/props").json
      #expect(props["total_slots"] == 4)
      #expect(
        props["default_generation_settings", "n_ctx"]?.integer == TestServer.contextLength)
      #expect(props["chat_template"]?.string?.contains("im_start") == true)
      let idle = try await client.get("/slots").json.array
      #expect(idle.count == 4 && idle.allSatisfy { $0["is_processing"] == false })
      let reader = try await client.open("/completion", ["prompt": "a", "stream": true])
      try await TestServer.wait(for: "a busy slot") {
        let slots = try await client.get("/slots").json.array
        return slots.first?["is_processing"] == true && slots.first?["n_decoded"] == 2
      }
      reader.connection.close()
      try await TestServer.wait(for: "idle slots") {
        try await client.get("/slots").json.array.allSatisfy { $0["is_processing"] == false }
      }
    }
  }

  @Test func thePlanIsThatOfTheModel() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let plan = try await client.get("/v1/plan").json
      let engine = try await TestServer.sharedEngine
      #expect(plan["architecture"] == "qwen3moe")
      #expect(plan["layers"]?.integer == engine.plan.layerCount)
      #expect(plan["total_bytes"]?.integer == engine.plan.memory.totalByteCount)
      #expect(plan["memory"]?.array.count == engine.plan.memory.rows.count + 1)
    }
  }
}
