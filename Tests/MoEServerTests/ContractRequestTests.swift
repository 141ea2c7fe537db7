import MoECore
import MoERuntime
import MoEServer
import Testing

/// What clients rely on in how requests are read.
@Suite struct ContractRequestTests {
  @Test func contract01UnknownMembersAreIgnoredAndNamedOnce() async throws {
    let log = TestLog()
    try await TestServer(ScriptedSource("Hi")).run(log: log) { client in
      let request: JSON = [
        "messages": [
          [
            "role": "user", "mood": "glad",
            "content": [["type": "text", "text": "Hello", "colour": "red"]],
          ]
        ],
        "frobnicate": true,
      ]
      for _ in 0..<2 {
        let answer = try await client.post("/v1/chat/completions", request)
        #expect(answer.status == 200)
        #expect(try answer.json["choices", "0", "message", "content"] == "Hi")
      }
    }
    let lines = log.lines.filter { $0.contains("unknown members") }
    #expect(lines.count == 1)
    let line = try #require(lines.first)
    for name in ["\"frobnicate\"", "\"messages[].mood\"", "\"messages[].content[].colour\""] {
      #expect(line.contains(name))
    }
  }

  @Test(
    arguments: [
      ("modalities", ["text", "audio"]), ("audio", ["voice": "alloy"]), ("store", true),
      ("functions", [["name": "f"]]), ("web_search_options", [:]), ("verbosity", "high"),
      ("reasoning_effort", "high"), ("tool_choice", "required"), ("best_of", 2), ("min_tokens", 4),
      ("stop_token_ids", [3]), ("guided_regex", "a+"), ("chat_template", "x"),
      ("reasoning_format", "none"), ("t_max_predict_ms", 500), ("mirostat", 1),
      ("response_format", ["type": "json_object"]), ("grammar", "root ::= \"a\""),
    ] as [(String, JSON)])
  func contract02EffectsThatCannotBeGivenAreRefusedByName(
    _ name: String, _ value: JSON
  ) async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answer = try await client.post("/v1/chat/completions", chatRequest.with(name, value))
      #expect(answer.status == 400)
      let error = try answer.error
      #expect(error["param"]?.string == name)
      #expect(error["message"]?.string?.contains(name) == true)
    }
  }

  @Test func contract03NullIsAbsent() async throws {
    let source = ScriptedSource("Hi")
    try await TestServer(source).run { client in
      var request = chatRequest
      for name in [
        "stop", "tools", "tool_choice", "logit_bias", "response_format", "stream_options",
        "max_tokens", "max_completion_tokens", "seed", "user", "temperature", "top_p", "n",
        "stream", "logprobs", "top_logprobs", "presence_penalty", "parallel_tool_calls",
        "reasoning_effort", "functions", "metadata", "store", "modalities",
      ] {
        request = request.with(name, nil)
      }
      let answer = try await client.post("/v1/chat/completions", request)
      #expect(answer.status == 200)
    }
    let options = try #require(source.calls.first).options
    #expect(options.tokenCountMax == nil)
    #expect(options.sampling.temperature == SamplingOptions().temperature)
  }

  @Test func contract04NoToolsIsAbsent() async throws {
    try await TestServer(ScriptedSource("Hi"), template: Templates.qwen).run { client in
      let plain = try await client.post("/apply-template", chatRequest)
      let empty = try await client.post("/apply-template", chatRequest.with("tools", []))
      #expect(empty.status == 200)
      #expect(try empty.json == plain.json)
      #expect(try plain.json["prompt"]?.string?.contains("<tool_call>") == false)
    }
  }

  @Test(
    arguments: [(5, 3, 3), (3, 5, 3), (nil, 4, 4), (4, nil, 4), (-1, 2, 2)] as [(Int?, Int?, Int)])
  func contract05TheSmallerLimitCounts(
    _ old: Int?, _ new: Int?, _ expected: Int
  ) async throws {
    let source = ScriptedSource("a long answer")
    try await TestServer(source).run { client in
      var request = chatRequest
      if let old { request = request.with("max_tokens", .integer(old)) }
      if let new { request = request.with("max_completion_tokens", .integer(new)) }
      let answer = try await client.post("/v1/chat/completions", request)
      #expect(try answer.json["usage", "completion_tokens"]?.integer == expected)
      #expect(try answer.json["choices", "0", "finish_reason"] == "length")
    }
    #expect(source.calls.first?.options.tokenCountMax == expected)
  }

  @Test func contract06ContentIsTextOrPartsOrNullBesideCalls() async throws {
    try await TestServer(ScriptedSource("Hi"), template: Templates.qwen).run { client in
      let parts: JSON = [
        "messages": [
          [
            "role": "user",
            "content": [["type": "text", "text": "one "], ["type": "text", "text": "two"]],
          ],
          [
            "role": "assistant", "content": nil,
            "tool_calls": [
              [
                "id": "call_1", "type": "function",
                "function": ["name": "f", "arguments": "{\"a\":1}"],
              ]
            ],
          ],
          ["role": "tool", "tool_call_id": "call_1", "content": "done"],
        ]
      ]
      let shown = try await client.post("/apply-template", parts)
      #expect(shown.status == 200)
      #expect(try shown.json["prompt"]?.string?.contains("one two") == true)

      let image: JSON = [
        "messages": [
          [
            "role": "user",
            "content": [
              ["type": "text", "text": "What is this?"],
              ["type": "image_url", "image_url": ["url": "data:image/png;base64,AA=="]],
            ],
          ]
        ]
      ]
      let refused = try await client.post("/v1/chat/completions", image)
      #expect(refused.status == 400)
      #expect(try refused.error["param"] == "messages[0].content[1].type")
      #expect(try refused.error["message"]?.string?.contains("image_url") == true)

      let empty: JSON = ["messages": [["role": "user", "content": nil]]]
      let missing = try await client.post("/v1/chat/completions", empty)
      #expect(missing.status == 400)
      #expect(try missing.error["param"] == "messages[0].content")
    }
  }

  private static let lateSystem: JSON = [
    "messages": [
      ["role": "developer", "content": "Be kind."], ["role": "user", "content": "Hello"],
      ["role": "system", "content": "Be brief."], ["role": "user", "content": "Go on"],
    ]
  ]

  @Test(arguments: [
    (Templates.strict, "<system>Be kind.\n\nBe brief.<user>Hello<user>Go on"),
    (Templates.userOnly, "<user>Be kind.\n\nBe brief.\n\nHello<user>Go on"),
    (
      Templates.qwen,
      "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
        + "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nGo on<|im_end|>\n"
        + "<|im_start|>assistant\n"
    ),
  ])
  func contract07SystemMessagesAreMergedOrGivenAsTheTemplateAllows(
    _ template: String, _ expected: String
  ) async throws {
    try await TestServer(ScriptedSource("Hi"), template: template).run { client in
      let answer = try await client.post("/apply-template", Self.lateSystem)
      #expect(answer.status == 200)
      #expect(try answer.json["prompt"]?.string == expected)
      #expect(try await client.post("/v1/chat/completions", Self.lateSystem).status == 200)
    }
  }

  @Test func contract08AnErrorOfTheTemplateIsARefusalWithItsText() async throws {
    let template = "{{ raise_exception('Roles must alternate between user and assistant.') }}"
    try await TestServer(ScriptedSource("Hi"), template: template).run { client in
      let answer = try await client.post("/v1/chat/completions", chatRequest)
      #expect(answer.status == 400)
      #expect(
        try answer.error["message"]?.string?
          .contains("Roles must alternate between user and assistant.") == true)
    }
  }

  @Test(
    arguments: [
      (nil, "messages"), ("Hello", "messages"), ([], "messages"), ([123], "messages[0]"),
      ([[:]], "messages[0].role"), ([["role": "user"]], "messages[0].content"),
      ([["role": 7, "content": "a"]], "messages[0].role"),
      ([["role": "clown", "content": "a"]], "messages[0].role"),
      ([["role": "user", "content": 7]], "messages[0].content"),
      ([["role": "user", "content": ["a"]]], "messages[0].content[0]"),
      ([["role": "user", "content": ["type": "text"]]], "messages[0].content"),
    ] as [(JSON, String)])
  func contract09MessagesOfTheWrongTypeAreRefusedByName(
    _ messages: JSON, _ parameter: String
  ) async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      for stream: JSON in [true, false] {
        let answer = try await client.post(
          "/v1/chat/completions", ["messages": messages, "stream": stream])
        #expect(answer.status == 400)
        #expect(try answer.error["param"]?.string == parameter)
      }
    }
  }

  @Test func contract10ALastMessageOfTheAssistantIsContinued() async throws {
    let source = ScriptedSource(" time")
    try await TestServer(source, template: Templates.qwen).run { client in
      let begun: JSON = [
        "messages": [
          ["role": "user", "content": "Tell me a story"],
          ["role": "assistant", "content": "Once upon a"],
        ]
      ]
      let shown = try await client.post("/apply-template", begun)
      #expect(
        try shown.json["prompt"]?.string
          == "<|im_start|>user\nTell me a story<|im_end|>\n<|im_start|>assistant\nOnce upon a")
      let answer = try await client.post("/v1/chat/completions", begun)
      #expect(try answer.json["choices", "0", "message", "content"] == " time")

      let twice: JSON = [
        "messages": [
          ["role": "user", "content": "a"], ["role": "assistant", "content": "b"],
          ["role": "assistant", "content": "c"],
        ]
      ]
      let refused = try await client.post("/v1/chat/completions", twice)
      #expect(refused.status == 400)
      #expect(try refused.error["param"] == "messages")
    }
  }

  @Test func contract11AnyNameOfAModelIsTaken() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answer = try await client.post(
        "/v1/chat/completions", chatRequest.with("model", "gpt-4o"))
      #expect(answer.status == 200)
      #expect(try answer.json["model"] == "nano-moe")
    }
  }

  @Test func contract12StopsAreFoundAcrossTokensAndAreNotInTheText() async throws {
    try await TestServer().run { client in
      let request: JSON = chatRequest.with("temperature", 0).with("max_tokens", 40)
      let whole = try #require(
        try await client.post("/v1/chat/completions", request)
          .json["choices", "0", "message", "content"]?.string)
      // From the midst of a token into the midst of the next but one.
      let start = whole.index(whole.startIndex, offsetBy: 12)
      let stop = String(whole[start..<whole.index(start, offsetBy: 9)])
      let expected = String(whole[..<start])
      #expect(!expected.contains(stop))
      for value: JSON in [.string(stop), ["never to be seen", .string(stop)]] {
        let stopped = request.with("stop", value)
        let answer = try await client.post("/v1/chat/completions", stopped)
        #expect(try answer.json["choices", "0", "message", "content"]?.string == expected)
        #expect(try answer.json["choices", "0", "finish_reason"] == "stop")
        let streamed = try await client.post(
          "/v1/chat/completions", stopped.with("stream", true))
        #expect(try ChatStream(streamed).content == expected)
      }
      // What begins like a stop and is none is released.
      let almost = request.with("stop", .string(stop + "\u{1}")).with("stream", true)
      #expect(try ChatStream(await client.post("/v1/chat/completions", almost)).content == whole)
    }
  }

  @Test func contract13SeveralChoicesOrARefusalThatNamesTheNumber() async throws {
    let source = ScriptedSource("Hi")
    try await TestServer(source).run { client in
      let answer = try await client.post("/v1/chat/completions", chatRequest.with("n", 2))
      let choices = try #require(answer.json["choices"]).array
      #expect(choices.map { $0["index"]?.integer } == [0, 1])
      #expect(choices.allSatisfy { $0["message"]?["content"] == "Hi" })
      #expect(try answer.json["usage", "completion_tokens"] == 4)
      let streamed = try await client.post(
        "/v1/chat/completions", chatRequest.with("n", 2).with("stream", true))
      for index in 0..<2 { #expect(try ChatStream(streamed, choice: index).content == "Hi") }
      for number: JSON in [0, 9, "2", 1.5] {
        let refused = try await client.post("/v1/chat/completions", chatRequest.with("n", number))
        #expect(refused.status == 400)
        #expect(try refused.error["param"] == "n")
      }
    }
    let seeds = source.calls.prefix(2).compactMap(\.options.sampling.seed)
    #expect(Set(seeds).count == 2)
  }

  @Test func contract14ABiasOfMinusHundredBans() async throws {
    try await TestServer().run { client in
      let request = chatRequest.with("temperature", 0).with("max_tokens", 1)
      let first = try #require(
        try await client.post("/v1/chat/completions", request)
          .json["choices", "0", "message", "content"]?.string)
      let tokens = try #require(
        try await client.post("/tokenize", ["content": .string(first)]).json["tokens"]
      ).array
      let id = try #require(tokens.first?.integer)
      let banned = request.with(
        "logit_bias", .object([JSONMember(name: "\(id)", value: -100)]))
      let other = try await client.post("/v1/chat/completions", banned)
        .json["choices", "0", "message", "content"]?.string
      #expect(other != nil && other != first)
      for wrong: JSON in [["x": 1], ["99999999": 1], ["5": 101], ["5": "a"], 7] {
        let refused = try await client.post(
          "/v1/chat/completions", request.with("logit_bias", wrong))
        #expect(refused.status == 400)
        #expect(try refused.error["param"] == "logit_bias")
      }
    }
  }

  @Test func contract15EqualSeedsGiveEqualTexts() async throws {
    try await TestServer().run { client in
      func request(_ seed: Int) -> JSON {
        chatRequest.with("seed", .integer(seed)).with("max_tokens", 24).with("temperature", 1.2)
      }
      func text(_ seed: Int, streams: Bool) async throws -> String {
        let answer = try await client.post(
          "/v1/chat/completions", request(seed).with("stream", .bool(streams)))
        if streams { return try ChatStream(answer).content }
        #expect(try answer.json["seed"]?.integer == seed)
        return try answer.json["choices", "0", "message", "content"]?.string ?? ""
      }
      var alone: [String] = []
      for seed in 0..<8 { alone.append(try await text(seed, streams: false)) }
      #expect(Set(alone).count > 4)
      let together = try await withThrowingTaskGroup(of: (Int, String).self) { group in
        for seed in 0..<8 {
          group.addTask { (seed, try await text(seed, streams: seed % 2 == 0)) }
        }
        var texts = [String](repeating: "", count: 8)
        for try await (seed, text) in group { texts[seed] = text }
        return texts
      }
      #expect(together == alone)
      // A seed that was drawn is told, and gives the same text again.
      let drawn = try await client.post(
        "/v1/chat/completions", chatRequest.with("max_tokens", 24))
      let seed = try #require(drawn.json["seed"]?.integer)
      let again = try await client.post(
        "/v1/chat/completions", chatRequest.with("max_tokens", 24).with("seed", .integer(seed)))
      #expect(
        try again.json["choices", "0", "message", "content"]
          == drawn.json["choices", "0", "message", "content"])
    }
  }

  @Test func contract16NoughtIsGreedyAndOnesAreOff() async throws {
    let source = ScriptedSource("Hi")
    try await TestServer(source).run { client in
      for value: JSON in [0, -1] {
        let request = chatRequest.with("temperature", 0).with("top_p", 1).with("top_k", value)
        let answer = try await client.post("/v1/chat/completions", request)
        #expect(answer.status == 200)
      }
    }
    for call in source.calls {
      #expect(call.options.sampling.temperature == 0)
      #expect(call.options.sampling.topP == 1)
      #expect(call.options.sampling.topK == 0)
    }
    try await TestServer().run { client in
      let request = chatRequest.with("temperature", 0).with("max_tokens", 12)
      let first = try await client.post("/v1/chat/completions", request.with("seed", 1)).json
      let second = try await client.post("/v1/chat/completions", request.with("seed", 2)).json
      #expect(
        first["choices", "0", "message"] == second["choices", "0", "message"])
    }
  }

  @Test(arguments: ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"])
  func contract17AFlagIsNoString(_ path: String) async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let request = chatRequest.with("prompt", "a").with("input", "a").with("max_tokens", 4)
      let answer = try await client.post(path, request.with("stream", "true"))
      #expect(answer.status == 400)
      #expect(try answer.error["param"] == "stream")
    }
  }

  @Test func contract18BodiesAreReadAsTheyMayCome() async throws {
    let server = TestServer(ScriptedSource("Hi")) { options, _ in
      options.bodyByteCountMax = 10_000
    }
    let body = Array(chatRequest.jsonText.utf8)
    try await server.run { client in
      // In chunks.
      let chunked = try RawConnection(port: client.port)
      let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
      try await chunked.send(head + "Transfer-Encoding: chunked\r\n\r\n")
      for part in [body.prefix(7), body.dropFirst(7)] {
        try await chunked.send(
          Array("\(String(part.count, radix: 16))\r\n".utf8) + Array(part) + Array("\r\n".utf8))
      }
      try await chunked.send("0\r\n\r\n")
      #expect(try await HTTPReader(chunked).answer().status == 200)
      // After it was asked for.
      let asked = try RawConnection(port: client.port)
      try await asked.send(
        head + "Content-Length: \(body.count)\r\nExpect: 100-continue\r\n\r\n")
      let reader = HTTPReader(asked)
      #expect(try await reader.head().status == 100)
      try await asked.send(body)
      #expect(try await reader.answer().status == 200)
      // Larger than the limit: as announced, and in chunks.
      let large = [UInt8](repeating: 0x20, count: 20_000)
      #expect(
        try await client.send("POST", "/v1/chat/completions", body: large).status == 413)
      let endless = try RawConnection(port: client.port)
      try await endless.send(head + "Transfer-Encoding: chunked\r\n\r\n")
      for _ in 0..<2 {
        try await endless.send(
          Array("2710\r\n".utf8) + large.prefix(10_000) + Array("\r\n".utf8))
      }
      try await endless.send("0\r\n\r\n")
      #expect(try await HTTPReader(endless).answer().status == 413)
      // A refusal is read before the body is sent.
      let refused = try RawConnection(port: client.port)
      try await refused.send(head + "Content-Length: 20000\r\nExpect: 100-continue\r\n\r\n")
      #expect(try await HTTPReader(refused).head().status == 413)
    }
  }

  @Test(arguments: [
    ("{\"messages\": [}", "at byte 14"), ("", "at byte 0"), ("[1,2", "at byte 4"),
    ("{\"a\": \"\\q\"}", "at byte 9"), (String(repeating: "[", count: 100), "at byte 64"),
    ("nonsense", "at byte 0"),
  ])
  func contract18BrokenJSONIsRefusedWithItsPlace(_ body: String, _ place: String) async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let answer = try await client.send(
        "POST", "/v1/chat/completions", body: Array(body.utf8))
      #expect(answer.status == 400)
      #expect(try answer.error["message"]?.string?.contains(place) == true)
    }
  }

  @Test func contract18BrokenUTF8IsRefusedWithItsPlace() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let good = Array("{\"messages\": \"".utf8) + Array("é".utf8)
      for broken: [UInt8] in [[0xFF], [0xC3], [0xE2, 0x82], [0xED, 0xA0, 0x80]] {
        let answer = try await client.send(
          "POST", "/v1/chat/completions", body: good + broken + Array("\"}".utf8))
        #expect(answer.status == 400)
        #expect(try answer.error["code"] == "invalid_utf8")
        #expect(
          try answer.error["message"]?.string?.contains("at byte \(good.count)") == true)
      }
    }
  }

  @Test func contract18TooManyValuesAreRefused() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      let body = "[" + String(repeating: "0,", count: 1 << 20) + "0]"
      let answer = try await client.send(
        "POST", "/v1/chat/completions", body: Array(body.utf8))
      #expect(answer.status == 400)
      #expect(try answer.error["code"] == "too_many_values")
    }
  }

  @Test func contract19PathsWorkWithAndWithoutTheirVersion() async throws {
    try await TestServer(ScriptedSource("Hi")).run { client in
      for path in ["/chat/completions", "/v1/chat/completions", "/v1/chat/completions/"] {
        let answer = try await client.post(path, chatRequest)
        #expect(answer.status == 200)
      }
      for path in ["/models", "/v1/models", "/health", "/v1/health", "/v1/models?after=x"] {
        #expect(try await client.get(path).status == 200)
      }
    }
  }
}
