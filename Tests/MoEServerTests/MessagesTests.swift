import MoECore
import MoERuntime
import MoEServer
import MoETokenizer
import Testing

/// Anthropic's messages.
@Suite struct MessagesTests {
  private static let tools: JSON = [
    [
      "name": "get_weather", "description": "Tells the weather.",
      "input_schema": ["type": "object", "properties": ["city": ["type": "string"]]],
    ]
  ]

  private static let request: JSON = [
    "messages": [["role": "user", "content": "How is Köln?"]], "max_tokens": 500,
  ]

  private static let script = ScriptedSource(
    "<think>Hm.</think>Let me look." + ContractResponseTests.call)

  @Test func aMessageIsAListOfBlocks() async throws {
    try await TestServer(Self.script, template: Templates.qwen).run { client in
      let json = try await client.post(
        "/v1/messages", Self.request.with("tools", Self.tools)
      ).json
      #expect(json["type"] == "message" && json["role"] == "assistant")
      #expect(json["id"]?.string?.hasPrefix("msg_") == true)
      #expect(json["stop_reason"] == "tool_use")
      let content = try #require(json["content"]).array
      #expect(content.map { $0["type"]?.string } == ["thinking", "text", "tool_use"])
      #expect(content[0]["thinking"] == "Hm.")
      #expect(content[1]["text"] == "Let me look.")
      #expect(content[2]["input"] == ["city": "Köln"])
      #expect(content[2]["name"] == "get_weather")
      #expect((json["usage", "input_tokens"]?.integer ?? 0) > 5)
      #expect((json["usage", "output_tokens"]?.integer ?? 0) > 20)
    }
  }

  @Test func aStreamTellsOfEachBlock() async throws {
    try await TestServer(Self.script, template: Templates.qwen).run { client in
      let events = try await client.post(
        "/v1/messages", Self.request.with("tools", Self.tools).with("stream", true)
      ).dataEvents
      let jsons = try events.map { try $0.json }
      #expect(zip(events, jsons).allSatisfy { $0.name == $1["type"]?.string })
      var types: [String] = []
      for type in jsons.compactMap({ $0["type"]?.string }) where types.last != type {
        types.append(type)
      }
      let block = ["content_block_start", "content_block_delta", "content_block_stop"]
      #expect(
        types == ["message_start"] + block + block + block + ["message_delta", "message_stop"])
      func joined(_ name: String) -> String {
        jsons.compactMap { $0["delta", name]?.string }.joined()
      }
      #expect(joined("thinking") == "Hm.")
      #expect(joined("text") == "Let me look.")
      #expect(try JSON(text: joined("partial_json")) == ["city": "Köln"])
      let starts = jsons.filter { $0["type"] == "content_block_start" }
      #expect(starts.compactMap { $0["index"]?.integer } == [0, 1, 2])
      let delta = try #require(jsons.first { $0["type"] == "message_delta" })
      #expect(delta["delta", "stop_reason"] == "tool_use")
      #expect((delta["usage", "output_tokens"]?.integer ?? 0) > 20)
    }
  }

  @Test func blocksBecomeTheMessagesThatTheyAre() async throws {
    let source = ScriptedSource("Fine.")
    try await TestServer(source, template: Templates.qwen).run { client in
      let answer = try await client.post(
        "/v1/messages?beta=true",
        [
          "system": [["type": "text", "text": "Be kind.", "cache_control": ["type": "ephemeral"]]],
          "max_tokens": 9,
          "messages": [
            ["role": "user", "content": "How is Köln?"],
            [
              "role": "assistant",
              "content": [
                ["type": "thinking", "thinking": "Hm.", "signature": ""],
                ["type": "text", "text": "Let me look."],
                [
                  "type": "tool_use", "id": "t1", "name": "get_weather",
                  "input": ["city": "Köln"],
                ],
              ],
            ],
            [
              "role": "user",
              "content": [
                ["type": "tool_result", "tool_use_id": "t1", "content": "Rain."],
                ["type": "text", "text": "And now?"],
              ],
            ],
          ],
        ])
      #expect(answer.status == 200)
    }
    let prompt = try #require(source.calls.last).prompt
    let text = try await TestServer.sharedEngine.tokenizer.decode(prompt)
    #expect(
      text == "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHow is Köln?<|im_end|>\n"
        + "<|im_start|>assistant\n<think>Hm.</think>Let me look.<|im_end|>\n"
        + "<|im_start|>tool\nRain.<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>\n"
        + "<|im_start|>assistant\n")
  }

  @Test func anAnswerSaysWhyItEnded() async throws {
    let source = ScriptedSource { call in
      var script = ScriptedSource.Script.characters("Hello")
      if let stop = call.options.stops.first { script.finish = .stop(stop) }
      return script
    }
    try await TestServer(source).run { client in
      let plain = try await client.post("/v1/messages", Self.request).json
      #expect(plain["stop_reason"] == "end_turn" && plain["stop_sequence"] == JSON.null)
      let cut = try await client.post("/v1/messages", Self.request.with("max_tokens", 2)).json
      #expect(cut["stop_reason"] == "max_tokens")
      let stopped = try await client.post(
        "/v1/messages", Self.request.with("stop_sequences", ["END"])
      ).json
      #expect(stopped["stop_reason"] == "stop_sequence" && stopped["stop_sequence"] == "END")
    }
  }

  @Test func whatIsReadFromTheCacheIsCountedApart() async throws {
    let engine = try await TestServer.engine { $0.keptStateCount = 1 }
    try await TestServer().run(engine) { client in
      let request = Self.request.with("max_tokens", 2)
      let first = try #require(try await client.post("/v1/messages", request).json["usage"])
      let second = try #require(try await client.post("/v1/messages", request).json["usage"])
      let count = try await client.post("/v1/messages/count_tokens", Self.request)
        .json["input_tokens"]?.integer
      #expect(first["input_tokens"]?.integer == count)
      #expect(second["input_tokens"] == 1)
      #expect(second["cache_read_input_tokens"]?.integer == (count ?? 0) - 1)
    }
  }

  @Test func errorsHaveAnthropicsForm() async throws {
    let server = TestServer(ScriptedSource("Hi")) { options, _ in options.apiKeys = ["k"] }
    try await server.run { client in
      let answers = [
        (401, try await client.post("/v1/messages", Self.request)),
        (
          400,
          try await client.post(
            "/v1/messages", ["messages": []], headers: ["X-Api-Key": "k"])
        ),
        (405, try await client.get("/v1/messages", headers: ["X-Api-Key": "k"])),
      ]
      for (status, answer) in answers {
        #expect(answer.status == status)
        #expect(try answer.json["type"] == "error")
        #expect(try answer.error["message"]?.string?.isEmpty == false)
      }
    }
  }

  @Test(
    arguments: [
      ("tool_choice", ["type": "any"]), ("mcp_servers", [["url": "x"]]),
      ("thinking", ["type": "enabled", "budget_tokens": 1024]), ("container", "c"),
      ("tools", [["type": "web_search_20250305", "name": "web_search"]]),
      ("messages", [["role": "user", "content": [["type": "image", "source": [:]]]]]),
      ("max_tokens", nil), ("system", 5),
    ] as [(String, JSON)])
  func whatIsNotOfferedIsRefused(_ name: String, _ value: JSON) async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answer = try await client.post("/v1/messages", Self.request.with(name, value))
      #expect(answer.status == 400)
      #expect(try answer.error["param"]?.string?.hasPrefix(name) == true)
    }
  }
}
