import MoECore
import MoERuntime
import MoEServer
import MoETokenizer
import Testing

/// What clients rely on in answers that come as a whole.
@Suite struct ContractResponseTests {
  static let tools: JSON = [
    [
      "type": "function",
      "function": [
        "name": "get_weather", "description": "Tells the weather.",
        "parameters": [
          "type": "object", "properties": ["city": ["type": "string"]], "required": ["city"],
        ],
      ],
    ]
  ]

  static let call =
    "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>"

  @Test func contract20AnswersHaveTheForm() async throws {
    try await TestServer().run { client in
      let answer = try await client.post(
        "/v1/chat/completions", chatRequest.with("max_tokens", 4))
      #expect(answer.headers["content-type"]?.hasPrefix("application/json") == true)
      let json = try answer.json
      #expect(json["object"] == "chat.completion")
      #expect(json["id"]?.string?.hasPrefix("chatcmpl-") == true)
      #expect((json["created"]?.integer ?? 0) > 1_600_000_000)
      #expect(json["choices", "0", "index"] == 0)
      #expect(json["choices", "0", "message", "role"] == "assistant")
      #expect(json["choices", "0", "finish_reason"] == "length")
      // The end of the context is a limit too.
      let full = try await client.post(
        "/v1/chat/completions",
        chatRequest.with("ignore_eos", true).with("temperature", 0))
      #expect(try full.json["choices", "0", "finish_reason"] == "length")
      #expect(
        try full.json["usage", "total_tokens"]?.integer == TestServer.contextLength + 1)
    }
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answer = try await client.post("/v1/chat/completions", chatRequest)
      #expect(try answer.json["choices", "0", "finish_reason"] == "stop")
    }
  }

  @Test func contract21UsageCountsTokensAndWhatWasCached() async throws {
    let engine = try await TestServer.engine { $0.keptStateCount = 2 }
    try await TestServer().run(engine) { client in
      let request: JSON = chatRequest.with("max_tokens", 8).with("seed", 3)
      let first = try await client.post("/v1/chat/completions", request).json
      let usage = try #require(first["usage"])
      let prompt = try #require(usage["prompt_tokens"]?.integer)
      #expect(prompt > 5)
      #expect(usage["completion_tokens"]?.integer == 8)
      #expect(usage["total_tokens"]?.integer == prompt + 8)
      #expect(usage["prompt_tokens_details", "cached_tokens"] == 0)
      let second = try await client.post("/v1/chat/completions", request).json
      #expect(
        second["usage", "prompt_tokens_details", "cached_tokens"]?.integer == prompt - 1)
      #expect(second["choices"] == first["choices"])
      // The next turn goes on from what was read and written.
      let text = try #require(first["choices", "0", "message", "content"])
      let next = try await client.post(
        "/v1/chat/completions",
        [
          "messages": [
            ["role": "user", "content": "Tell me a story"],
            ["role": "assistant", "content": text], ["role": "user", "content": "Go on"],
          ], "max_tokens": 4,
        ]
      ).json
      let cached = try #require(
        next["usage", "prompt_tokens_details", "cached_tokens"]?.integer)
      #expect(cached >= prompt)
    }
  }

  @Test func contract22ToolCallsHaveTheForm() async throws {
    let source = ScriptedSource(Self.call)
    try await TestServer(source, template: Templates.qwen).run { client in
      let answer = try await client.post(
        "/v1/chat/completions", chatRequest.with("tools", Self.tools))
      let choice = try #require(answer.json["choices", "0"])
      #expect(choice["finish_reason"] == "tool_calls")
      #expect(choice["message", "content"] == JSON.null)
      let call = try #require(choice["message", "tool_calls", "0"])
      #expect(call["id"]?.string?.isEmpty == false)
      #expect(call["type"] == "function")
      #expect(call["function", "name"] == "get_weather")
      let arguments = try #require(call["function", "arguments"]?.string)
      #expect(try JSON(text: arguments) == ["city": "Köln"])
    }
    let prompt = try #require(source.calls.first).prompt
    let text = try await TestServer.sharedEngine.tokenizer.decode(prompt)
    #expect(text.contains("get_weather"))
  }

  @Test func contract22StrictToolsAreNotCalledWrongly() async throws {
    let wrong = ScriptedSource(
      "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": 5}}</tool_call>")
    let strict: JSON = [
      [
        "type": "function",
        "function": [
          "name": "get_weather", "strict": true,
          "parameters": [
            "type": "object", "properties": ["city": ["type": "string"]], "required": ["city"],
          ],
        ],
      ]
    ]
    try await TestServer(wrong, template: Templates.qwen).run { client in
      let request = chatRequest.with("tools", strict)
      let answer = try await client.post("/v1/chat/completions", request)
      #expect(answer.status == 422)
      #expect(try answer.error["code"] == "invalid_tool_call")
      let streamed = try await client.post(
        "/v1/chat/completions", request.with("stream", true))
      let error = streamed.dataEvents.compactMap { try? $0.json["error"] }.first
      #expect(try #require(error)["code"] == "invalid_tool_call")
      let loose = try await client.post(
        "/v1/chat/completions", chatRequest.with("tools", Self.tools))
      #expect(loose.status == 200)
    }
  }

  @Test(arguments: [
    "{\"name\": \"get_weather\", \"arguments\": {\"city\": }}",
    "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"",
    "{\"name\": \"get_weather\", \"arguments\": oops}", "get_weather(Rome)", "{\"name\": 5}",
  ])
  func contract22BrokenCallsAreNoCalls(_ text: String) async throws {
    let source = ScriptedSource("<tool_call>\(text)</tool_call>")
    try await TestServer(source, template: Templates.qwen).run { client in
      let answer = try await client.post(
        "/v1/chat/completions", chatRequest.with("tools", Self.tools))
      if answer.status == 422 {
        #expect(try answer.error["code"] == "invalid_tool_call")
        return
      }
      let message = try #require(answer.json["choices", "0", "message"])
      for call in message["tool_calls"]?.array ?? [] {
        let arguments = try #require(call["function", "arguments"]?.string)
        #expect(throws: Never.self, "\(arguments)") { try JSON(text: arguments) }
      }
    }
  }

  @Test func contract22CallsThatNobodyOfferedAreText() async throws {
    try await TestServer(ScriptedSource("Well. " + Self.call), template: Templates.qwen).run {
      client in
      let forbidden = chatRequest.with("tools", Self.tools).with("tool_choice", "none")
      for request in [chatRequest, forbidden] {
        let answer = try await client.post("/v1/chat/completions", request)
        let message = try #require(answer.json["choices", "0", "message"])
        #expect(message["tool_calls"] == nil)
        let text = try #require(message["content"]?.string)
        #expect(text.hasPrefix("Well.") && text.contains("Köln") && !text.contains("tool_call"))
        #expect(try answer.json["choices", "0", "finish_reason"] == "stop")
      }
    }
  }

  @Test func contract22OneCallAloneWhereSeveralAreNotWanted() async throws {
    let source = ScriptedSource(Self.call + Self.call)
    try await TestServer(source, template: Templates.qwen).run { client in
      let request = chatRequest.with("tools", Self.tools)
      let several = try await client.post("/v1/chat/completions", request)
      #expect(
        try several.json["choices", "0", "message", "tool_calls"]?.array.count == 2)
      let one = try await client.post(
        "/v1/chat/completions", request.with("parallel_tool_calls", false))
      #expect(try one.json["choices", "0", "message", "tool_calls"]?.array.count == 1)
      #expect(try one.json["choices", "0", "finish_reason"] == "tool_calls")
    }
  }

  @Test func contract23ThinkingIsNotContent() async throws {
    let source = ScriptedSource("<think>Let me see.</think>Yes.")
    try await TestServer(source, template: Templates.qwen).run { client in
      let answer = try await client.post("/v1/chat/completions", chatRequest)
      let message = try #require(answer.json["choices", "0", "message"])
      #expect(message["reasoning_content"] == "Let me see.")
      #expect(message["content"] == "Yes.")
    }
  }
}
