import Foundation
import MoEAnalysis
import MoECore
import Testing

/// The traces in the repository, and the reader of their README.
@Suite struct CommittedTraceTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Traces")

  private func trace(_ name: String) throws -> RoutingTrace {
    try RoutingTrace(contentsOf: Self.folder.appending(path: name).path)
  }

  @Test func theyAreOfTheEmbeddedModelAndSmall() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).filter {
      $0.hasSuffix(".moetrace")
    }
    var byteCount = 0
    for name in names {
      let trace = try trace(name)
      #expect(trace.metadata.model == "nano-moe" && trace.metadata.quantization == "Q8_0")
      #expect(trace.layerCount == 4 && trace.expertCount == 32 && trace.expertsPerToken == 4)
      #expect(trace.metadata.modelHash == "fnv1a-routers:9b4ad26f86ff4d81")
      // Weights are renormalised by this model; each is rounded to 16 bits.
      let weights = try #require(trace.weights)
      for start in stride(from: 0, to: weights.count, by: 4) {
        #expect(abs(weights[start..<start + 4].reduce(0, +) - 1) < 2e-3)
        #expect(zip(weights[start..<start + 3], weights[start + 1..<start + 4]).allSatisfy(>=))
      }
      let url = Self.folder.appending(path: name)
      byteCount += try Data(contentsOf: url).count
    }
    #expect(names.count == 3 && byteCount < 500_000)
    #expect(
      try trace("nano-moe-texts.moetrace").labels
        == ["code", "dialogue", "german", "maths", "maths", "story"])
  }

  /// Softmax, the best four, renormalised: what the model's description says its router does.
  @Test func selectionsFollowFromTheLogitsThatAreRecorded() throws {
    let trace = try trace("nano-moe-logits.moetrace")
    let (logits, weights) = (try #require(trace.logits), try #require(trace.weights))
    for selection in 0..<trace.tokenCount * 4 {
      let row = Array(logits[selection * 32..<selection * 32 + 32])
      let order = row.indices.sorted { (row[$1], $0) < (row[$0], $1) }.prefix(4)
      let first = selection * 4
      #expect(trace.experts[first..<first + 4].map(Int.init).elementsEqual(order))
      let powers = order.map { exp(Double(row[$0]) - Double(row[order[0]])) }
      for rank in 0..<4 {
        let weight = powers[rank] / powers.reduce(0, +)
        #expect(abs(Double(weights[first + rank]) - weight) < 1e-3)
      }
    }
  }

  @Test func aGenerationIsAPromptAndTokensOneByOne() throws {
    let trace = try trace("nano-moe-generated.moetrace")
    let phases = try #require(trace.phases)
    let promptCount = phases.count { $0 == .prefill }
    #expect(promptCount > 1 && phases.dropFirst(promptCount).allSatisfy { $0 == .decode })
    #expect(trace.passStarts == [0] + Array(promptCount..<trace.tokenCount))
  }

  /// What the README's reader makes of a trace, as sums that the test can take, too.
  private static let summary = """

    import sys
    for path in sys.argv[1:]:
        head, sequences = read(path)
        k, n = head["k"], head["experts"]
        tokens = experts = ids = decoded = 0
        weights = logits = 0.0
        place = 0
        for label, passes in sequences:
            for phase, numbers, rows in passes:
                tokens += len(numbers)
                ids = (ids * 31 + sum(numbers)) % 1000003
                decoded += len(numbers) * phase
                layers = len(rows) // len(numbers)
                for layer in range(layers):
                    for token in range(len(numbers)):
                        row = rows[layer * len(numbers) + token]
                        number = (place + token) * layers + layer + 1
                        ranked = sum((rank + 1) * row[rank] for rank in range(k))
                        experts = (experts + number * ranked) % 1000003
                        weights += number % 7 * sum(row[k:2 * k])
                        logits += number % 7 * sum(row[2 * k:])
                place += len(numbers)
        labels = ",".join(label for label, _ in sequences)
        print(labels, tokens, experts, ids, decoded, round(weights, 3), round(logits, 1), sep=";")
    """

  private func summary(of trace: RoutingTrace) throws -> String {
    let (k, layers) = (trace.expertsPerToken, trace.layerCount)
    let ids = try #require(trace.tokenIDs)
    var (experts, idSum, weights, logits) = (0, 0, 0.0, 0.0)
    for pass in trace.passes {
      idSum = (idSum * 31 + ids[pass].reduce(0) { $0 + Int($1) }) % 1_000_003
    }
    for selection in 0..<trace.tokenCount * layers {
      let number = selection + 1
      for rank in 0..<k {
        experts += number * (rank + 1) * Int(trace.experts[selection * k + rank])
        weights += Double(number % 7) * Double(trace.weights?[selection * k + rank] ?? 0)
      }
      experts %= 1_000_003
      for expert in 0..<trace.expertCount {
        logits +=
          Double(number % 7) * Double(trace.logits?[selection * trace.expertCount + expert] ?? 0)
      }
    }
    let decoded = trace.phases?.count { $0 == .decode } ?? 0
    return "\(trace.labels?.joined(separator: ",") ?? "");\(trace.tokenCount);\(experts);\(idSum);"
      + "\(decoded);\(String(format: "%.2f", weights));\(String(format: "%.0f", logits))"
  }

  @Test func theReadmesTwentyLinesOfPythonReadThem() throws {
    let readme = try String(
      contentsOf: Self.folder.appending(path: "README.md"), encoding: .utf8)
    let code = try #require(
      readme.components(separatedBy: "```python\n").dropFirst().first?
        .components(separatedBy: "```").first)
    #expect(code.split(separator: "\n", omittingEmptySubsequences: false).dropLast().count <= 20)
    let names = ["nano-moe-texts", "nano-moe-logits", "nano-moe-generated"].map {
      $0 + ".moetrace"
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      ["python3", "-c", code + Self.summary]
      + names.map { Self.folder.appending(path: $0).path }
    let (output, errors) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (output, errors)
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let complaint = String(
      decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    if process.terminationStatus == 127 { try Test.cancel("no python3 here") }
    #expect(process.terminationStatus == 0, "\(complaint)")
    let lines = text.split(separator: "\n")
    #expect(lines.count == names.count)
    for (name, line) in zip(names, lines) {
      // Python prints numbers its own way, so they are compared as numbers.
      let found = line.split(separator: ";")
      let wanted = try summary(of: trace(name)).split(separator: ";")
      try #require(found.count == 7 && wanted.count == 7, "\(line)")
      #expect(found[..<5] == wanted[..<5], "\(name)")
      for index in 5..<7 {
        let (a, b) = (try #require(Double(found[index])), try #require(Double(wanted[index])))
        #expect(abs(a - b) <= 0.6, "\(name): \(a), \(b)")
      }
    }
  }
}
