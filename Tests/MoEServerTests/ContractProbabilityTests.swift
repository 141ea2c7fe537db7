import MoECore
import MoERuntime
import MoEServer
import Testing

/// What clients rely on in log probabilities and in answers of a given form.
@Suite struct ContractProbabilityTests {
  @Test func contract33ProbabilitiesAreThoseOfTheContent() async throws {
    try await TestServer().run { client in
      let request = chatRequest.with("logprobs", true).with("max_tokens", 20).with("seed", 5)
      for top in [0, 3] {
        let answer = try await client.post(
          "/v1/chat/completions", request.with("top_logprobs", .integer(top)))
        let content = try #require(
          answer.json["choices", "0", "message", "content"]?.string)
        let tokens = try #require(answer.json["choices", "0", "logprobs", "content"]).array
        #expect(tokens.count == 20)
        #expect(tokens.compactMap { $0["token"]?.string }.joined() == content)
        let bytes = tokens.flatMap { $0["bytes"]?.array ?? [] }.compactMap(\.integer)
        #expect(bytes == content.utf8.map { Int($0) })
        for token in tokens {
          #expect(try #require(token["logprob"]?.double) <= 0)
          let alternatives = token["top_logprobs"]?.array ?? []
          #expect(alternatives.count == top)
          let values = alternatives.compactMap { $0["logprob"]?.double }
          #expect(values == values.sorted(by: >))
        }
        let streamed = try ChatStream(
          await client.post(
            "/v1/chat/completions",
            request.with("top_logprobs", .integer(top)).with("stream", true)))
        let parts = streamed.chunks.flatMap {
          $0["choices", "0", "logprobs", "content"]?.array ?? []
        }
        #expect(parts == tokens)
      }
      let refused = try await client.post(
        "/v1/chat/completions", chatRequest.with("top_logprobs", 3))
      #expect(refused.status == 400)
      #expect(try refused.error["param"] == "top_logprobs")
      let none = try await client.post(
        "/v1/chat/completions", chatRequest.with("max_tokens", 2))
      #expect(try none.json["choices", "0", "logprobs"] == JSON.null)
    }
  }

  @Test func contract33ProbabilitiesFollowStopsAndPartsOfCharacters() async throws {
    try await TestServer().run { client in
      for seed in 0..<4 {
        // A hot text: many tokens are parts of characters. A stop holds back what begins like it.
        let request = chatRequest.with("logprobs", true).with("seed", .integer(seed))
          .with("temperature", 8).with("top_k", 0).with("top_p", 1).with("min_p", 0)
          .with("max_tokens", 60).with("stop", ["ee", " the unlikely"])
        let answer = try await client.post("/v1/chat/completions", request)
        let content = try #require(
          answer.json["choices", "0", "message", "content"]?.string)
        let tokens = try #require(answer.json["choices", "0", "logprobs", "content"]).array
        #expect(tokens.compactMap { $0["token"]?.string }.joined() == content)
      }
    }
  }

  @Test func contract34PlainCompletionsHaveTheirOwnForm() async throws {
    try await TestServer().run { client in
      let request: JSON = [
        "prompt": "Once upon a", "logprobs": 3, "max_tokens": 6, "seed": 2,
      ]
      let answer = try await client.post("/v1/completions", request)
      let choice = try #require(answer.json["choices", "0"])
      #expect(try answer.json["object"] == "text_completion")
      #expect(try answer.json["id"]?.string?.hasPrefix("cmpl-") == true)
      let text = try #require(choice["text"]?.string)
      let logprobs = try #require(choice["logprobs"])
      let tokens = try #require(logprobs["tokens"]).array.compactMap(\.string)
      #expect(tokens.joined() == text && tokens.count == 6)
      #expect(logprobs["token_logprobs"]?.array.count == 6)
      #expect(logprobs["top_logprobs"]?.array.allSatisfy { $0.names.count == 3 } == true)
      var offsets: [Int] = []
      var sum = 0
      for token in tokens {
        offsets.append(sum)
        sum += token.unicodeScalars.count
      }
      #expect(logprobs["text_offset"]?.array.compactMap(\.integer) == offsets)
      // The same in a stream.
      let streamed = try await client.post("/v1/completions", request.with("stream", true))
      let parts = try streamed.dataEvents.filter { $0.data != "[DONE]" }.map { try $0.json }
      #expect(parts.compactMap { $0["choices", "0", "text"]?.string }.joined() == text)
      #expect(
        parts.flatMap { $0["choices", "0", "logprobs", "text_offset"]?.array ?? [] }
          .compactMap(\.integer) == offsets)
      #expect(streamed.text.hasSuffix("data: [DONE]\n\n"))
    }
  }

  @Test func contract34PlainCompletionsTakePromptsOfAllKinds() async throws {
    try await TestServer().run { client in
      let tokens = try #require(
        try await client.post("/tokenize", ["content": "Once upon a"]).json["tokens"])
      let request: JSON = ["prompt": tokens, "max_tokens": 3, "temperature": 0]
      let first = try await client.post("/v1/completions", request).json
      let second = try await client.post(
        "/v1/completions", request.with("prompt", "Once upon a")
      ).json
      #expect(first["choices"] == second["choices"])
      let several = try await client.post(
        "/v1/completions",
        request.with("prompt", ["Once upon a", "The dog"]).with("n", 2).with("echo", true)
      ).json
      let texts = several["choices"]?.array.compactMap { $0["text"]?.string } ?? []
      #expect(texts.count == 4)
      #expect(texts.prefix(2).allSatisfy { $0.hasPrefix("Once upon a") })
      #expect(texts.suffix(2).allSatisfy { $0.hasPrefix("The dog") })
      for wrong: JSON in [nil, 5, [], [[]], ["a", 1.5], [99_999], ["role": "user"]] {
        #expect(
          try await client.post("/v1/completions", request.with("prompt", wrong)).status == 400)
      }
    }
  }

  /// A form's parts as the module that enforces forms gets them.
  private final class Forms: Sendable {
    let collected = Locked<[OutputConstraint]>([])

    var hook:
      @Sendable (OutputConstraint, ConstrainedAnswer) throws
        -> @Sendable (inout GenerationOptions) -> Void
    {
      { constraint, _ in
        self.collected.with { $0.append(constraint) }
        if constraint == .grammar("broken") {
          throw EngineError.store("line 1 of the grammar is broken")
        }
        return { $0.stops.append("<formed>") }
      }
    }
  }

  @Test func contract35And36FormsAreHandedOn() async throws {
    let (forms, source) = (Forms(), ScriptedSource("{}"))
    let schema: JSON = ["type": "object", "properties": ["a": ["type": "integer"]]]
    let server = TestServer(source) { _, hooks in hooks.constrain = forms.hook }
    try await server.run { client in
      for format: JSON in [
        [
          "type": "json_schema",
          "json_schema": ["name": "answer", "strict": true, "schema": schema],
        ],
        ["type": "json_schema", "schema": schema],
        ["type": "json_object", "schema": schema],
        ["type": "json_object"],
      ] {
        let answer = try await client.post(
          "/v1/chat/completions", chatRequest.with("response_format", format))
        #expect(answer.status == 200)
      }
      let grammar = try await client.post(
        "/completion", ["prompt": "a", "grammar": "root ::= \"a\""])
      #expect(grammar.status == 200)
      let text = try await client.post(
        "/v1/responses",
        [
          "input": "a", "text": ["format": ["type": "json_schema", "name": "b", "schema": schema]],
        ])
      #expect(text.status == 200)
    }
    #expect(
      forms.collected.with { $0 } == [
        .jsonSchema(schema), .jsonSchema(schema), .jsonSchema(schema), .jsonObject,
        .grammar("root ::= \"a\""), .jsonSchema(schema),
      ])
    #expect(source.calls.allSatisfy { $0.options.stops.contains("<formed>") })
  }

  @Test func contract38AFormIsToldWhereThinkingIs() async throws {
    let answers = Locked<[ConstrainedAnswer]>([])
    for template in [Templates.qwen, Templates.qwen + "{{ '<think>' }}"] {
      let server = TestServer(ScriptedSource("{}"), template: template) { _, hooks in
        hooks.constrain = { _, answer in
          answers.with { $0.append(answer) }
          return { _ in }
        }
      }
      try await server.run { client in
        let answer = try await client.post(
          "/v1/chat/completions", chatRequest.with("response_format", ["type": "json_object"]))
        #expect(answer.status == 200)
      }
    }
    let told = answers.with { $0 }
    #expect(told.map(\.startsInThinking) == [false, true])
    #expect(told.allSatisfy { $0.styles.contains("think") && $0.promptTokenCount > 5 })
  }

  @Test func contract37AFormThatCannotBeEnforcedIsRefused() async throws {
    let forms = Forms()
    let server = TestServer(ScriptedSource("{}")) { _, hooks in hooks.constrain = forms.hook }
    try await server.run { client in
      let broken = try await client.post(
        "/v1/chat/completions", chatRequest.with("grammar", "broken"))
      #expect(broken.status == 400)
      #expect(try broken.error["message"]?.string?.contains("line 1 of the grammar") == true)
      for format: JSON in [
        ["type": "yaml"], [:], ["type": "json_schema"], "json_object",
        ["type": "json_schema", "json_schema": ["schema": "x"]],
      ] {
        let answer = try await client.post(
          "/v1/chat/completions", chatRequest.with("response_format", format))
        #expect(answer.status == 400)
        #expect(try answer.error["param"]?.string?.hasPrefix("response_format") == true)
      }
    }
    // Nobody enforces forms.
    try await TestServer(ScriptedSource("{}")).run { client in
      for (name, value) in [
        ("response_format", ["type": "json_object"]), ("grammar", "root ::= \"a\""),
        ("json_schema", ["type": "object"]),
      ] as [(String, JSON)] {
        let answer = try await client.post("/v1/chat/completions", chatRequest.with(name, value))
        #expect(answer.status == 400)
        #expect(try answer.error["param"]?.string == name)
      }
      let text = try await client.post(
        "/v1/chat/completions", chatRequest.with("response_format", ["type": "text"]))
      #expect(text.status == 200)
    }
  }
}
