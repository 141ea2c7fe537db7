import MoECore
import MoERuntime
import MoEServer
import MoETestSupport
import Testing

/// Requests that are broken in many ways: the server answers each, never by 500, and lives on.
@Suite struct ServerFuzzTests {
  private static let requests: [(path: String, json: JSON)] = [
    (
      "/v1/chat/completions",
      chatRequest.with("tools", ContractResponseTests.tools).with("stop", ["a", "b"])
        .with("stream", true).with("logit_bias", ["5": -100]).with("n", 2)
        .with("stream_options", ["include_usage": true]).with("chat_template_kwargs", ["a": [1]])
    ),
    (
      "/v1/chat/completions",
      [
        "messages": [
          ["role": "system", "content": "Be kind."],
          ["role": "user", "content": [["type": "text", "text": "Hi"]]],
          [
            "role": "assistant", "content": nil,
            "tool_calls": [
              [
                "id": "c", "type": "function",
                "function": ["name": "f", "arguments": "{\"a\": [1, {}]}"],
              ]
            ],
          ], ["role": "tool", "tool_call_id": "c", "content": "done"],
        ], "logprobs": true, "top_logprobs": 2, "seed": 7, "temperature": 1.5,
      ]
    ),
    ("/v1/completions", ["prompt": ["a", "b"], "logprobs": 2, "max_tokens": 4, "echo": false]),
    ("/completion", ["prompt": [1, "a", 2], "n_predict": 4, "n_probs": 2, "samplers": ["top_k"]]),
    (
      "/v1/responses",
      [
        "input": [
          ["role": "user", "content": [["type": "input_text", "text": "Hi"]]],
          ["type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"],
          ["type": "function_call_output", "call_id": "c", "output": "done"],
        ], "instructions": "Be kind.", "text": ["format": ["type": "text"]], "stream": true,
      ]
    ),
    (
      "/v1/messages",
      [
        "messages": [
          ["role": "user", "content": [["type": "text", "text": "Hi"]]],
          ["role": "assistant", "content": "Well"],
        ], "max_tokens": 5, "system": "Be kind.", "stop_sequences": ["x"],
        "tools": [["name": "f", "input_schema": ["type": "object"]]],
      ]
    ), ("/tokenize", ["content": "Hello", "with_pieces": true]),
    ("/detokenize", ["tokens": [1, 2, 3]]),
  ]

  private static let leaves: [JSON] = [
    nil, true, false, 0, -1, 1, 7, "", "a", "\u{0}", "text", "<|im_start|>", [], [:], [nil],
    .number("1e308"), .number("-1e999"), .number("99999999999999999999"), .number("0.5"),
    .string(String(repeating: "x", count: 3000)),
  ]

  /// The value with one of its parts changed.
  private static func mutated(_ json: JSON, _ random: inout SeededGenerator) -> JSON {
    switch json {
    case .object(var members) where !members.isEmpty && Int.random(in: 0..<5, using: &random) > 0:
      let index = members.indices.randomElement(using: &random) ?? 0
      switch Int.random(in: 0..<8, using: &random) {
      case 0: members.remove(at: index)
      case 1: members.append(members[index])
      case 2: members[index].name += "x"
      default: members[index].value = mutated(members[index].value, &random)
      }
      return .object(members)
    case .array(var elements) where !elements.isEmpty && Int.random(in: 0..<5, using: &random) > 0:
      let index = elements.indices.randomElement(using: &random) ?? 0
      switch Int.random(in: 0..<6, using: &random) {
      case 0: elements.remove(at: index)
      case 1: elements.append(elements[index])
      default: elements[index] = mutated(elements[index], &random)
      }
      return .array(elements)
    default: return leaves.randomElement(using: &random) ?? .null
    }
  }

  private static func mutated(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let index = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes[index] = .random(in: .min ... .max, using: &random)
      case 1: bytes.insert(.random(in: .min ... .max, using: &random), at: index)
      case 2: bytes.remove(at: index)
      default: bytes.removeSubrange(index..<min(bytes.count, index + 9))
      }
    }
    return bytes
  }

  private static func source() -> ScriptedSource {
    ScriptedSource("<think>Hm.</think>Well. " + ContractResponseTests.call)
  }

  @Test(arguments: Fuzz.seeds(1200, iterationsPerRun: 200))
  func changedJSONIsAnsweredFuzz(_ seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    try await TestServer(Self.source(), template: Templates.qwen).run { client in
      for _ in 0..<min(200, Fuzz.iterationCount(1200)) {
        let (path, json) = Self.requests.randomElement(using: &random) ?? Self.requests[0]
        var changed = json
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          changed = Self.mutated(changed, &random)
        }
        let answer = try await client.post(path, changed)
        #expect(
          [200, 400, 422].contains(answer.status),
          "seed \(seed): \(path) \(changed.jsonText): \(answer.status) \(answer.text)")
        if answer.headers["content-type"]?.hasPrefix("application/json") == true {
          #expect(throws: Never.self, "seed \(seed)") { try answer.json }
        }
      }
      #expect(try await client.get("/health").status == 200)
    }
  }

  @Test(arguments: Fuzz.seeds(700, iterationsPerRun: 100))
  func changedBytesDoNoHarmFuzz(_ seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let server = TestServer(Self.source(), template: Templates.qwen) { options, _ in
      options.clientStallSeconds = 1
    }
    try await server.run { client in
      for number in 0..<min(100, Fuzz.iterationCount(700)) {
        let (path, json) = Self.requests.randomElement(using: &random) ?? Self.requests[0]
        var body = Array(json.jsonText.utf8)
        if number % 2 == 0 { body = Self.mutated(body, &random) }
        var request = HTTPClient.head("POST", path, [:], byteCount: body.count) + body
        if number % 2 == 1 { request = Self.mutated(request, &random) }
        let connection = try RawConnection(port: client.port)
        try? await connection.send(request)
        // What was cut is not waited for.
        connection.finishSending()
        var answer: [UInt8] = []
        while let bytes = try? await connection.receive(), !bytes.isEmpty { answer += bytes }
        let first = String(decoding: answer.prefix(40), as: UTF8.self)
        #expect(!first.contains(" 500 "), "seed \(seed): \(first)")
        connection.close()
      }
      #expect(try await client.get("/health").status == 200)
    }
  }

  @Test(arguments: Fuzz.seeds(100, iterationsPerRun: 100))
  func changedRequestsToAModelAreAnsweredFuzz(_ seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    try await TestServer().run { client in
      for _ in 0..<min(100, Fuzz.iterationCount(100)) {
        let (path, json) = Self.requests.randomElement(using: &random) ?? Self.requests[0]
        let limits: [(String, JSON)] = [
          ("max_tokens", 3), ("n_predict", 3), ("max_output_tokens", 3),
        ]
        let changed = limits.reduce(Self.mutated(json, &random)) { $0.with($1.0, $1.1) }
        let answer = try await client.post(path, changed)
        #expect(
          [200, 400, 422].contains(answer.status),
          "seed \(seed): \(path) \(changed.jsonText): \(answer.status) \(answer.text)")
      }
      #expect(try await client.get("/health").status == 200)
    }
  }
}
