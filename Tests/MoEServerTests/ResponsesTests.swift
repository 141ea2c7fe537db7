import MoECore
import MoERuntime
import MoEServer
import MoETokenizer
import Testing

/// OpenAI's responses.
@Suite struct ResponsesTests {
  private static let tools: JSON = [
    [
      "type": "function", "name": "get_weather",
      "parameters": ["type": "object", "properties": ["city": ["type": "string"]]],
    ]
  ]

  private static let script = ScriptedSource(
    "<think>Hm.</think>Let me look." + ContractResponseTests.call)

  @Test func aResponseIsAListOfItems() async throws {
    try await TestServer(Self.script, template: Templates.qwen).run { client in
      let answer = try await client.post(
        "/v1/responses", ["input": "How is Köln?", "tools": Self.tools, "metadata": ["a": "b"]])
      let json = try answer.json
      #expect(json["object"] == "response" && json["status"] == "completed")
      #expect(json["id"]?.string?.hasPrefix("resp_") == true)
      #expect(json["metadata"] == ["a": "b"])
      #expect(json["tools"] == Self.tools)
      let output = try #require(json["output"]).array
      #expect(output.map { $0["type"]?.string } == ["reasoning", "message", "function_call"])
      #expect(output[0]["content", "0", "text"] == "Hm.")
      #expect(output[1]["content", "0", "type"] == "output_text")
      #expect(output[1]["content", "0", "text"] == "Let me look.")
      #expect(output[2]["name"] == "get_weather")
      #expect(output[2]["call_id"]?.string?.isEmpty == false)
      #expect(try JSON(text: output[2]["arguments"]?.string ?? "") == ["city": "Köln"])
      let usage = try #require(json["usage"])
      let (input, written) = (usage["input_tokens"]?.integer, usage["output_tokens"]?.integer)
      #expect(usage["total_tokens"]?.integer == (input ?? 0) + (written ?? 0))
      #expect((usage["output_tokens_details", "reasoning_tokens"]?.integer ?? 0) > 0)
    }
  }

  @Test func aStreamTellsOfEachItem() async throws {
    try await TestServer(Self.script, template: Templates.qwen).run { client in
      let request: JSON = ["input": "How is Köln?", "tools": Self.tools, "stream": true]
      let events = try await client.post("/v1/responses", request).dataEvents
      let jsons = try events.map { try $0.json }
      #expect(zip(events, jsons).allSatisfy { $0.name == $1["type"]?.string })
      #expect(jsons.compactMap { $0["sequence_number"]?.integer } == Array(0..<jsons.count))
      var types: [String] = []
      for type in jsons.compactMap({ $0["type"]?.string }) where types.last != type {
        types.append(type)
      }
      let item = ["response.output_item.added", "response.content_part.added"]
      let end = ["response.content_part.done", "response.output_item.done"]
      #expect(
        types == ["response.created", "response.in_progress"]
          + item + ["response.reasoning_text.delta", "response.reasoning_text.done"] + end
          + item + ["response.output_text.delta", "response.output_text.done"] + end
          + [
            "response.output_item.added", "response.function_call_arguments.delta",
            "response.function_call_arguments.done", "response.output_item.done",
            "response.completed",
          ])
      // What the deltas are joined to is what the items say, and those are the response's.
      let text = jsons.filter { $0["type"] == "response.output_text.delta" }
        .compactMap { $0["delta"]?.string }.joined()
      #expect(text == "Let me look.")
      let done = jsons.filter { $0["type"] == "response.output_item.done" }
        .compactMap { $0["item"] }
      #expect(jsons.last?["response", "output"]?.array == done)
      #expect(jsons.first?["response", "status"] == "in_progress")
    }
  }

  @Test func itemsBecomeTheMessagesThatTheyAre() async throws {
    let source = ScriptedSource("Fine.")
    try await TestServer(source, template: Templates.qwen).run { client in
      let first = try await client.post(
        "/v1/responses", ["input": "Hi", "include": ["reasoning.encrypted_content"]])
      #expect(first.status == 200)
      let answer = try await client.post(
        "/v1/responses",
        [
          "instructions": "Be kind.",
          "input": [
            ["role": "user", "content": "How is Köln?"],
            ["type": "reasoning", "summary": [], "encrypted_content": "SG0u"],
            [
              "type": "message", "role": "assistant",
              "content": [["type": "output_text", "text": "Let me look."]],
            ],
            [
              "type": "function_call", "call_id": "c1", "name": "get_weather",
              "arguments": "{\"city\":\"Köln\"}",
            ],
            ["type": "function_call_output", "call_id": "c1", "output": "Rain."],
          ],
        ])
      #expect(answer.status == 200)
    }
    let prompt = try #require(source.calls.last).prompt
    let text = try await TestServer.sharedEngine.tokenizer.decode(prompt)
    #expect(
      text == "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHow is Köln?<|im_end|>\n"
        + "<|im_start|>assistant\n<think>Hm.</think>Let me look.<|im_end|>\n"
        + "<|im_start|>tool\nRain.<|im_end|>\n<|im_start|>assistant\n")
  }

  @Test func aLimitMakesAResponseIncomplete() async throws {
    try await TestServer(ScriptedSource("A long answer")).run { client in
      let answer = try await client.post(
        "/v1/responses", ["input": "Hi", "max_output_tokens": 3]
      ).json
      #expect(answer["status"] == "incomplete")
      #expect(answer["incomplete_details", "reason"] == "max_output_tokens")
      #expect(answer["output", "0", "content", "0", "text"] == "A l")
    }
  }

  @Test(
    arguments: [
      ("store", true), ("previous_response_id", "resp_1"), ("background", true), ("n", 2),
      ("truncation", "auto"), ("tools", [["type": "web_search"]]), ("include", ["file_search"]),
      ("conversation", "c"), ("tool_choice", ["type": "function", "name": "f"]),
      ("text", ["format": ["type": "json_object"]]), ("reasoning", ["effort": "high"]),
      ("input", [["role": "assistant", "content": "a"], ["role": "assistant", "content": "b"]]),
    ] as [(String, JSON)])
  func whatIsNotOfferedIsRefused(_ name: String, _ value: JSON) async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answer = try await client.post("/v1/responses", JSON.inputHi.with(name, value))
      #expect(answer.status == 400)
      #expect(try answer.error["param"]?.string?.hasPrefix(name) == true)
    }
  }

  @Test func effortIsForTheTemplate() async throws {
    try await TestServer(ScriptedSource("Hi"), template: Templates.qwen).run { client in
      for (effort, isOpen) in [("none", false), ("high", true)] {
        let shown = try await client.post(
          "/apply-template", chatRequest.with("reasoning_effort", .string(effort)))
        #expect(try shown.json["prompt"]?.string?.hasSuffix("<think></think>") == !isOpen)
        let answer = try await client.post(
          "/v1/responses", JSON.inputHi.with("reasoning", ["effort": .string(effort)]))
        #expect(answer.status == 200)
      }
    }
  }
}

extension JSON {
  fileprivate static let inputHi: JSON = ["input": "Hi"]
}
