import Foundation
import MoECore
import MoERuntime
import MoEServer
import MoETestSupport
import Synchronization
import Testing

/// Batches with the small trained model, or with texts in its place.
@Suite struct BatchTests {
  private static let texts = [
    "Tell me a story", "The big red dog", "Lily went to the park", "One day, a bird", "Why?",
    "The sun was warm and", "Mom said no", "A boy named Tim",
  ]

  private static func chats(_ count: Int) -> [JSON] {
    (0..<count).map {
      BatchFolder.chat("id \($0)", texts[$0 % texts.count], seed: $0, count: 4 + $0 % 9)
    }
  }

  @Test func anEmptyInputHasAnEmptyOutput() async throws {
    for input in ["", "\n", " \r\n\n"] {
      let folder = try BatchFolder(input)
      let batch = try folder.batch()
      #expect(await batch.waitingCount == 0)
      try await batch.finish()
      #expect(try folder.outputText == "")
      #expect(try await folder.run().totalCount == 0)
    }
  }

  /// Every interface that writes texts, beside a server of the same engine.
  @Test func answersAreThoseOfTheServer() async throws {
    let prompt: JSON = [
      "prompt": "Once upon a time", "seed": 7, "max_tokens": 9, "temperature": 0.8,
    ]
    let message: JSON = [
      "messages": [["role": "user", "content": "Tell me a story"]], "seed": 5, "max_tokens": 9,
    ]
    let requests: [(url: String, body: JSON)] = [
      ("/v1/chat/completions", message.with("n", 2)), ("/chat/completions", message),
      ("/v1/completions", prompt.with("logprobs", 2)), ("/v1/completions", prompt.with("n", 3)),
      ("/v1/messages", message), ("/completion", prompt),
      ("/v1/responses", ["input": "Tell me a story", "seed": 3, "max_output_tokens": 9]),
      ("/v1/completions", prompt.with("prompt", ["The dog", "The cat"])),
    ]
    let folder = try BatchFolder(
      requests.enumerated().map {
        BatchFolder.request("\($0)", url: $1.url, body: $1.body)
      })
    let progress = try await folder.run()
    #expect(progress.doneCount == requests.count && progress.errorCount == 0)
    #expect(progress.generatedTokenCount > 0 && progress.promptTokenCount > 0)
    let answers = try folder.answers
    try await TestServer().run { client in
      for (number, request) in requests.enumerated() {
        let alone = try await client.post(request.url, request.body).json
        let line = try #require(answers["\(number)"])
        #expect(line["error"] == .null && line["id"]?.string?.hasPrefix("batch_req_") == true)
        #expect(line["response", "status_code"] == 200)
        #expect(line["response", "request_id"]?.string?.isEmpty == false)
        let body = try #require(line["response", "body"])
        #expect(body.names == alone.names, "\(request.url)")
        #expect(body["choices"] == alone["choices"], "\(request.url)")
        // Two of the interfaces have the text there.
        #expect(body["content"] == alone["content"], "\(request.url)")
        #expect(
          body["output", "0", "content", "0", "text"]
            == alone["output", "0", "content", "0", "text"])
      }
    }
  }

  @Test(arguments: [1, 3, 8]) func companyChangesNoAnswer(_ parallel: Int) async throws {
    let requests = Self.chats(12)
    let folder = try BatchFolder(requests)
    try await folder.run(parallel: parallel)
    let found = try folder.answers
    for (number, request) in requests.enumerated().prefix(4) {
      let alone = try BatchFolder([request])
      try await alone.run(parallel: 1)
      let id = "id \(number)"
      #expect(BatchFolder.said(found[id]) == BatchFolder.said(try alone.answers[id]))
    }
    #expect(found.count == 12)
  }

  /// Runs that end after some answers leave what the next one goes on with.
  @Test(arguments: [false, true]) func whatIsInterruptedGoesOn(_ isOrdered: Bool) async throws {
    let requests = Self.chats(14)
    let whole = try BatchFolder(requests)
    try await whole.run()
    let wanted = try whole.answers
    var folder = try BatchFolder(requests)
    folder.isOrdered = isOrdered
    var runCount = 0
    var before = ""
    while runCount < 20 {
      runCount += 1
      let least = try folder.batch(writes: false)
      let goal = await least.progressNow.doneCount + 4
      let stop = Mutex<Task<BatchProgress, any Error>?>(nil)
      let run = Task { [folder] in
        try await folder.run(parallel: 2) { progress in
          if progress.doneCount >= goal { stop.withLock { $0?.cancel() } }
        }
      }
      stop.withLock { $0 = run }
      let result = await run.result
      // What was there is there, byte for byte.
      let now = try folder.outputText
      if case .success = result { break }
      #expect(throws: CancellationError.self) { try result.get() }
      #expect(now.hasPrefix(before))
      before = now
      // The end came in the middle of a line.
      try folder.writeOutput(now + #"{"id":"batch_req_3","custom"#)
    }
    #expect(runCount > 1 && runCount < 20)
    let found = try folder.answers
    #expect(found.count == wanted.count)
    for (id, line) in wanted {
      #expect(BatchFolder.said(found[id]) == BatchFolder.said(line), "\(id)")
    }
    if isOrdered {
      #expect(try folder.lines.map { $0["custom_id"] } == requests.map { $0["custom_id"] })
    }
  }

  @Test func aTornLineIsCutAndDoneAgain() async throws {
    let folder = try BatchFolder(Self.chats(3))
    try await folder.run()
    let (text, wanted) = (try folder.outputText, try folder.answers)
    let lines = text.split(separator: "\n").map(String.init)
    for kept in [0, 1, 17, lines[2].utf8.count - 1] {
      let torn = lines[0] + "\n" + lines[1] + "\n" + lines[2].prefix(kept)
      try folder.writeOutput(torn)
      let progress = try await folder.run()
      #expect(progress.doneBeforeCount == 2 && progress.doneCount == 3)
      for (id, line) in try folder.answers {
        #expect(BatchFolder.said(line) == BatchFolder.said(wanted[id]))
      }
    }
  }

  @Test func requestsThatBeginAlikeAreReadOnce() async throws {
    let begin = String(repeating: "Once upon a time there was a little girl named Lily. ", count: 6)
    let requests = (0..<6).map { BatchFolder.chat("\($0)", begin + "Day \($0)", seed: $0) }
    let folder = try BatchFolder(requests)
    // An engine whose kept states nobody else takes.
    let engine = try await TestServer.engine { options in
      (options.parallelRequestCount, options.keptStateCount) = (4, 4)
    }
    let progress = try await folder.run(parallel: 4, on: engine)
    // All but the first find nearly all of their prompts.
    #expect(progress.cachedTokenCount * 2 > progress.promptTokenCount)
    for (number, request) in requests.enumerated() {
      let alone = try BatchFolder([request])
      try await alone.run(parallel: 1, on: try await TestServer.engine { _ in })
      #expect(
        BatchFolder.said(try folder.answers["\(number)"])
          == BatchFolder.said(try alone.answers["\(number)"]))
    }
  }

  @Test func theOrderIsTheInputsOnceAllIsDone() async throws {
    let requests = Self.chats(9)
    var folder = try BatchFolder(requests)
    // Some are done by another run, which did not mind the order; one is nobody's any more.
    let other = try BatchFolder([requests[7], requests[2], BatchFolder.chat("gone", "Why?")])
    try await other.run(parallel: 1)
    try folder.writeOutput(try other.outputText)
    folder.isOrdered = true
    try await folder.run()
    let wanted = requests.map { $0["custom_id"] } + ["gone"]
    #expect(try folder.lines.map { $0["custom_id"] } == wanted)
    // What is in order stays as it is, and needs no model.
    let before = try folder.outputText
    try await folder.batch().finish()
    #expect(try folder.outputText == before)
  }

  @Test func whatTheEngineFailsAtEndsTheRunAndIsDoneByTheNext() async throws {
    let fails = Mutex(true)
    var folder = try BatchFolder((0..<5).map { BatchFolder.chat("\($0)", "Text \($0)") })
    let source = ScriptedSource { call in
      var script = ScriptedSource.Script(["Yes"])
      if call.options.sampling.seed == 1, fails.withLock({ $0 }) {
        script = ScriptedSource.Script()
        script.failure = .store("the disk is gone")
      }
      return script
    }
    folder.hooks.textSource = { _ in source }
    let failure = await #expect(throws: BatchError.self) { try await folder.run(parallel: 1) }
    #expect(failure?.description.contains("the disk is gone") == true)
    #expect(try folder.lines.allSatisfy { $0["response", "status_code"] == 200 })
    fails.withLock { $0 = false }
    try await folder.run()
    #expect(try folder.answers.count == 5)
  }
}
