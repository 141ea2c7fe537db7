import Foundation
import MoECore
import MoERuntime
import MoEServer
import Testing

/// What clients rely on in streams.
@Suite struct ContractStreamTests {
  private static let streamed = chatRequest.with("stream", true)

  @Test func contract24StreamsAreServerSentEvents() async throws {
    try await TestServer(ScriptedSource("Hello")).run { client in
      let answer = try await client.send(
        "POST", "/v1/chat/completions", headers: ["Accept-Encoding": "gzip, br"],
        body: Array(Self.streamed.jsonText.utf8))
      #expect(answer.headers["content-type"]?.hasPrefix("text/event-stream") == true)
      #expect(answer.headers["content-encoding"] == nil)
      #expect(answer.text.hasSuffix("data: [DONE]\n\n"))
      for block in answer.text.dropLast(2).components(separatedBy: "\n\n") {
        #expect(block.hasPrefix("data: ") || block.hasPrefix(": "))
        #expect(!block.contains("\n"))
      }
    }
  }

  @Test func contract25TheFirstDeltaAloneHasTheRole() async throws {
    try await TestServer().run { client in
      let stream = try ChatStream(
        await client.post("/v1/chat/completions", Self.streamed.with("max_tokens", 6)))
      #expect(stream.deltas.count > 6)
      #expect(stream.deltas.first?["role"] == "assistant")
      #expect(stream.deltas.dropFirst().allSatisfy { $0["role"] == nil })
      for name in ["id", "created", "model", "object"] {
        #expect(Set(stream.chunks.map { $0[name] }).count == 1)
      }
      #expect(stream.chunks.first?["object"] == "chat.completion.chunk")
      #expect(stream.chunks.first?["id"]?.string?.hasPrefix("chatcmpl-") == true)
    }
  }

  @Test func contract26TheLastChunkAloneHasTheReason() async throws {
    try await TestServer(ScriptedSource("Hello")).run { client in
      let stream = try ChatStream(await client.post("/v1/chat/completions", Self.streamed))
      let choices = stream.chunks.compactMap { $0["choices", "0"] }
      let last = try #require(choices.last)
      #expect(last["finish_reason"] == "stop")
      #expect(last["delta"]?.names == [])
      #expect(choices.dropLast().allSatisfy { $0["finish_reason"] == JSON.null })
      #expect(stream.content == "Hello")
    }
  }

  @Test func contract27UsageIsOneMoreChunkWhereItIsWanted() async throws {
    try await TestServer(ScriptedSource("Hello")).run { client in
      let plain = try ChatStream(await client.post("/v1/chat/completions", Self.streamed))
      #expect(plain.isDone)
      #expect(plain.chunks.allSatisfy { $0["choices"]?.array.isEmpty == false })
      let counted = try ChatStream(
        await client.post(
          "/v1/chat/completions",
          Self.streamed.with("stream_options", ["include_usage": true])))
      let last = try #require(counted.chunks.last)
      #expect(last["choices"] == [])
      #expect(last["usage", "completion_tokens"] == 5)
      #expect(counted.isDone)
      #expect(counted.chunks.dropLast().allSatisfy { $0["choices"]?.array.isEmpty == false })
    }
  }

  /// However the text is cut into tokens.
  @Test(arguments: [1, 2, 3, 7, 1000])
  func contract28CallsComeInDeltas(_ size: Int) async throws {
    let text = "Let me look." + ContractResponseTests.call + ContractResponseTests.call
    let characters = Array(text)
    let pieces = stride(from: 0, to: characters.count, by: size).map {
      String(characters[$0..<min($0 + size, characters.count)])
    }
    let source = ScriptedSource { _ in ScriptedSource.Script(pieces) }
    try await TestServer(source, template: Templates.qwen).run { client in
      let stream = try ChatStream(
        await client.post(
          "/v1/chat/completions", Self.streamed.with("tools", ContractResponseTests.tools)))
      #expect(stream.content == "Let me look.")
      #expect(stream.finishReasons == ["tool_calls"])
      var arguments = ["", ""]
      var ids: [String] = []
      for delta in stream.deltas {
        for call in delta["tool_calls"]?.array ?? [] {
          let index = try #require(call["index"]?.integer)
          if let id = call["id"]?.string {
            #expect(index == ids.count)
            ids.append(id)
            #expect(call["type"] == "function")
            #expect(call["function", "name"] == "get_weather")
          } else {
            #expect(index == ids.count - 1)
            #expect(call["function", "name"] == nil)
          }
          arguments[index] += call["function", "arguments"]?.string ?? ""
        }
      }
      #expect(Set(ids).count == 2)
      for text in arguments { #expect(try JSON(text: text) == ["city": "Köln"]) }
    }
  }

  @Test func contract29ThinkingComesByBothNames() async throws {
    let source = ScriptedSource("<think>Hm, let me see.</think>Yes.")
    try await TestServer(source, template: Templates.qwen).run { client in
      let stream = try ChatStream(await client.post("/v1/chat/completions", Self.streamed))
      #expect(stream.thinking == "Hm, let me see.")
      #expect(stream.content == "Yes.")
      #expect(stream.deltas.allSatisfy { $0["reasoning_content"] == $0["reasoning"] })
    }
  }

  @Test func contract30NoDeltaEndsInsideACharacter() async throws {
    try await TestServer().run { client in
      // A hot text of a model whose tokens are bytes: many are parts of characters.
      for seed in 0..<4 {
        let request = Self.streamed.with("temperature", 8).with("seed", .integer(seed))
          .with("top_k", 0).with("top_p", 1).with("min_p", 0).with("max_tokens", 60)
        let answer = try await client.post("/v1/chat/completions", request)
        #expect(String(validating: answer.body, as: UTF8.self) != nil)
        let whole = try await client.post(
          "/v1/chat/completions", request.with("stream", false)
        ).json["choices", "0", "message", "content"]?.string
        #expect(try ChatStream(answer).content == whole)
      }
    }
  }

  @Test func contract31CommentsKeepAConnectionAliveWhileThePromptIsRead() async throws {
    let gate = Locked(false)
    let source = ScriptedSource { _ in
      var script = ScriptedSource.Script(["Hi"])
      script.isRead = { gate.with { $0 } }
      return script
    }
    let server = TestServer(source) { _, hooks in hooks.keepAliveInterval = .milliseconds(20) }
    try await server.run { client in
      let reader = try await client.open("/v1/chat/completions", Self.streamed)
      var answer = try await reader.head()
      while answer.events.count(where: { $0.comment != nil }) < 3 {
        answer.body += try #require(try await reader.chunk())
      }
      gate.with { $0 = true }
      while let bytes = try await reader.chunk() { answer.body += bytes }
      #expect(try ChatStream(answer).content == "Hi")
      // None after the text has begun.
      let first = try #require(answer.events.firstIndex { $0.data.contains("\"Hi\"") })
      #expect(answer.events[first...].allSatisfy { $0.comment == nil })
    }
    let quiet = TestServer(ScriptedSource("Hi")) { options, hooks in
      options.keepAliveComments = false
      hooks.keepAliveInterval = .milliseconds(1)
    }
    try await quiet.run { client in
      let stream = try ChatStream(await client.post("/v1/chat/completions", Self.streamed))
      #expect(stream.comments == [])
      #expect(stream.content == "Hi")
    }
  }

  @Test func contract31ProgressIsToldWhereItIsWanted() async throws {
    let engine = try await TestServer.engine { options in
      options.chunkTokenCount = 16
      options.keptStateCount = 1
    }
    try await TestServer().run(engine) { client in
      let text = String(repeating: "The cat sat on the mat. ", count: 20)
      let request: JSON = [
        "messages": [["role": "user", "content": .string(text)]], "stream": true,
        "max_tokens": 4, "return_progress": true,
        "stream_options": ["include_usage": true],
      ]
      let stream = try ChatStream(await client.post("/v1/chat/completions", request))
      let reports = stream.chunks.compactMap { $0["prompt_progress"] }
      let total = try #require(stream.chunks.last?["usage", "prompt_tokens"]?.integer)
      let processed = reports.compactMap { $0["processed"]?.integer }
      #expect(!reports.isEmpty)
      #expect(reports.allSatisfy { $0["total"]?.integer == total })
      #expect(reports.allSatisfy { $0["cache"] == 0 })
      #expect(processed == processed.sorted() && Set(processed).count == processed.count)
      #expect(processed.last == total)
      #expect(stream.chunks.dropLast().allSatisfy { $0["choices"]?.array.isEmpty == false })
      // Once more: all but the last token is known.
      let again = try ChatStream(await client.post("/v1/chat/completions", request))
      let known = again.chunks.compactMap { $0["prompt_progress", "cache"]?.integer }
      #expect(Set(known) == [total - 1])
      let silent = try ChatStream(
        await client.post("/v1/chat/completions", request.with("return_progress", false)))
      #expect(silent.chunks.allSatisfy { $0["prompt_progress"] == nil })
    }
  }

  @Test func contract32ErrorsBeforeTheFirstTokenHaveTheirStatus() async throws {
    let source = ScriptedSource { _ in
      var script = ScriptedSource.Script()
      script.failure = .store("the disk is on fire")
      return script
    }
    let log = TestLog()
    try await TestServer(source).run(log: log) { client in
      let answer = try await client.post("/v1/chat/completions", Self.streamed)
      #expect(answer.status == 503)
      #expect(log.lines.contains("error the disk is on fire"))
      #expect(try answer.error["message"] == "the disk is on fire")
      let long = String(repeating: "word ", count: 2000)
      let refused = try await client.post(
        "/v1/chat/completions",
        ["messages": [["role": "user", "content": .string(long)]], "stream": true])
      #expect(refused.status == 400)
    }
  }

  @Test(
    arguments: [
      ("/v1/chat/completions", chatRequest), ("/v1/completions", ["prompt": "a"]),
      ("/v1/responses", ["input": "a"]), ("/v1/messages", chatRequest.with("max_tokens", 9)),
      ("/completion", ["prompt": "a"]),
    ] as [(String, JSON)])
  func contract32ErrorsInTheMidstAreEvents(_ path: String, _ request: JSON) async throws {
    let source = ScriptedSource { _ in
      var script = ScriptedSource.Script(["Once ", "upon "])
      script.failure = .store("the disk is on fire")
      return script
    }
    try await TestServer(source).run { client in
      let answer = try await client.post(path, request.with("stream", true))
      #expect(answer.status == 200)
      #expect(answer.text.contains("upon"))
      let events = answer.dataEvents.filter { $0.data != "[DONE]" }
      let error = try #require(events.last?.json["error"])
      #expect(error["message"] == "the disk is on fire")
      #expect(error["type"]?.string?.isEmpty == false)
    }
  }
}
