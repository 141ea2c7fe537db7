import Foundation
import MoECore
import MoETestSupport
import Testing

/// Python's `jsonschema` and `re`, asked about many texts at once.
enum PythonOracle {
  /// What is asked, and whether a valid text is expected.
  struct Case {
    var question: JSON
    var isValid: Bool
    /// For messages: where the case is from.
    var origin: String

    /// - Parameter checksSchema: Whether the schema itself is checked too, which takes long.
    init(
      schema: JSON, text: String, isValid: Bool, checksSchema: Bool = false, _ origin: String
    ) {
      question = .object([
        JSONMember(name: "schema", value: schema), JSONMember(name: "text", value: .string(text)),
        JSONMember(name: "checksSchema", value: .bool(checksSchema)),
      ])
      self.isValid = isValid
      self.origin = origin
    }

    init(pattern: String, text: String, isValid: Bool, _ origin: String) {
      question = .object([
        JSONMember(name: "pattern", value: .string(pattern)),
        JSONMember(name: "text", value: .string(text)),
      ])
      self.isValid = isValid
      self.origin = origin
    }
  }

  private static let script = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/grammars/check.py").path

  private static let isThere: Bool = (try? run(["-c", "import jsonschema"], input: "")) != nil

  /// For suites that need it: skips them, and says so, where it is missing. Where `CI` is set and
  /// not empty they run and fail.
  static var needed: ConditionTrait {
    .enabled(
      if: isThere || ContinuousIntegration.isOn,
      "no python3 with jsonschema here; install python3-jsonschema")
  }

  /// Records an issue for each case that Python judges otherwise than expected.
  static func check(_ cases: [Case]) throws {
    let input = cases.map { $0.question.jsonText + "\n" }.joined()
    let answers = try run([script], input: input).split(separator: "\n")
    try #require(answers.count == cases.count, "Python answered \(answers.count) of \(cases.count)")
    for (one, answer) in zip(cases, answers) where (answer == "valid") != one.isValid {
      Issue.record("\(one.origin): Python says \(answer) of \(one.question.jsonText.prefix(3000))")
    }
  }

  private struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private static func run(_ arguments: [String], input: String) throws -> String {
    let folder = try TemporaryFolder()
    let (questions, answers) = (
      folder.url.appending(path: "questions"), folder.url.appending(path: "answers")
    )
    try Data(input.utf8).write(to: questions)
    try Data().write(to: answers)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3"] + arguments
    process.standardInput = try FileHandle(forReadingFrom: questions)
    process.standardOutput = try FileHandle(forWritingTo: answers)
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: "python3 ended with \(process.terminationStatus)")
    }
    return try String(contentsOf: answers, encoding: .utf8)
  }
}
