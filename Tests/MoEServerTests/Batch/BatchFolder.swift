import Foundation
import Logging
import MoECore
import MoERuntime
import MoEServer
import MoETestSupport
import Testing

/// A batch of the tests: its input and its output, in a folder of their own.
struct BatchFolder {
  let folder: TemporaryFolder
  var inputPath: String { folder.url.appending(path: "in.jsonl").path }
  var outputPath: String { folder.url.appending(path: "out.jsonl").path }
  var isOrdered = false
  var hooks = ServerHooks()

  init(_ input: String = "") throws {
    folder = try TemporaryFolder()
    try write(input)
  }

  init(_ requests: [JSON]) throws {
    try self.init(requests.map { $0.jsonText + "\n" }.joined())
  }

  func write(_ input: String) throws { try Data(input.utf8).write(to: URL(filePath: inputPath)) }

  /// What is read of the files.
  func batch(writes: Bool = true) throws -> Batch {
    var options = BatchOptions(inputPath: inputPath, outputPath: outputPath)
    options.isOrdered = isOrdered
    return try Batch(options, hooks: hooks, logger: TestLog().logger, writes: writes)
  }

  /// Runs a batch to its end.
  @discardableResult
  func run(
    parallel: Int = 4, on engine: Engine? = nil,
    report: @escaping @Sendable (BatchProgress) -> Void = { _ in }
  ) async throws -> BatchProgress {
    let shared = try await TestServer.sharedEngine
    return try await batch().run(on: engine ?? shared, parallelCount: parallel, report: report)
  }

  var outputText: String {
    get throws { String(decoding: try Data(contentsOf: URL(filePath: outputPath)), as: UTF8.self) }
  }

  func writeOutput(_ text: String) throws {
    try Data(text.utf8).write(to: URL(filePath: outputPath))
  }

  /// The lines of the output.
  var lines: [JSON] {
    get throws {
      let text = try outputText
      #expect(text.isEmpty || text.hasSuffix("\n"))
      return try text.split(separator: "\n").map { try JSON(text: String($0)) }
    }
  }

  /// The answers by `custom_id`, each of which is there once.
  var answers: [String: JSON] {
    get throws {
      var answers: [String: JSON] = [:]
      for line in try lines {
        let id = try #require(line["custom_id"]?.string)
        #expect(answers[id] == nil, "\(id) is there twice")
        answers[id] = line
      }
      return answers
    }
  }

  /// A chat of one message, with a seed, as a line.
  static func chat(_ id: String, _ text: String, seed: Int = 1, count: Int = 8) -> JSON {
    request(
      id,
      body: [
        "messages": [["role": "user", "content": .string(text)]], "seed": .integer(seed),
        "max_tokens": .integer(count),
      ])
  }

  static func request(
    _ id: String, url: String = "/v1/chat/completions", body: JSON
  ) -> JSON {
    ["custom_id": .string(id), "method": "POST", "url": .string(url), "body": body]
  }

  /// What of an answer does not depend on when and beside whom it was written.
  static func said(_ line: JSON?) -> JSON {
    let body = line?["response"]?["body"]
    return [
      "status": line?["response"]?["status_code"] ?? nil, "choices": body?["choices"] ?? nil,
      "content": body?["content"] ?? nil, "error": body?["error"] ?? nil,
    ]
  }
}
