import Foundation
import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

/// The writer on its own: what it leaves out, and what it leaves behind.
@Suite struct TraceWriterTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var path: String { folder.url.appending(path: "a.moetrace").path }

  private func writer(logits: Bool = false) throws -> RoutingTraceWriter {
    var contents = RoutingTraceContents()
    (contents.tokenIDs, contents.passes, contents.logits) = (true, true, logits)
    return try RoutingTraceWriter(
      path: path,
      metadata: RoutingTraceMetadata(expertCount: 300, expertsPerToken: 2, layers: [0, 1]),
      contents: contents)
  }

  /// A pass whose experts tell its tokens; with `recordCount`, one that stops on its way.
  private func add(
    _ tokens: Range<Int>, to writer: RoutingTraceWriter, recordCount: Int = .max
  ) {
    writer.beginPass(tokenCount: tokens.count, phase: .prefill)
    for token in tokens { writer.add(token: Int32(token)) }
    var left = recordCount
    for layer in 0..<2 {
      for token in tokens {
        guard left > 0 else { return }
        left -= 1
        writer.addSelection(
          expert: { (token + layer + 150 * $0) % 300 }, weight: { _ in 0 },
          logit: { Float($0 + token) })
      }
    }
    if recordCount == .max { writer.endPass() }
  }

  private func expected(_ tokens: [Int]) -> [Int32] {
    tokens.flatMap { token in
      (0..<2).flatMap { layer in (0..<2).map { Int32((token + layer + 150 * $0) % 300) } }
    }
  }

  /// Passes that fail are many times the buffer's size, or nothing.
  @Test(arguments: [false, true], [0, 1, 7, 200, 3000])
  func passesThatWereNotEndedAreLeftOut(logits: Bool, recordCount: Int) throws {
    let writer = try writer(logits: logits)
    writer.beginSequence(label: "one")
    add(0..<2000, to: writer, recordCount: recordCount)
    add(0..<3, to: writer)
    add(3..<1800, to: writer, recordCount: recordCount)
    add(3..<5, to: writer)
    writer.beginSequence(label: "never begun")
    add(5..<900, to: writer, recordCount: recordCount)
    writer.beginSequence(label: "two")
    add(7..<600, to: writer)
    add(0..<1700, to: writer, recordCount: recordCount)
    #expect(writer.tokenCount == 598 && writer.sequenceCount == 2)
    let byteCount = try writer.finish()
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    #expect(size == byteCount)
    let trace = try RoutingTrace(contentsOf: path)
    let tokens = Array(0..<5) + Array(7..<600)
    #expect(trace.tokenIDs == tokens.map { Int32($0) })
    #expect(trace.experts == expected(tokens))
    #expect(trace.sequenceStarts == [0, 5] && trace.passStarts == [0, 3, 5])
    #expect(trace.labels == ["one", "two"])
    if logits {
      #expect(trace.logits?.suffix(300).elementsEqual((599..<899).map(Float.init)) == true)
    }
  }

  @Test func withoutAnEndThereIsNoFile() throws {
    try Data("old".utf8).write(to: URL(fileURLWithPath: path))
    do {
      let writer = try writer()
      writer.beginSequence(label: "")
      add(0..<5, to: writer)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.moetrace"])
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    let writer = try writer()
    writer.beginSequence(label: String(repeating: "ä", count: 5000))
    add(0..<5, to: writer)
    try writer.finish()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.moetrace"])
    #expect(try RoutingTrace(contentsOf: path).labels == [String(repeating: "ä", count: 512)])
  }

  @Test func aLinkStaysOne() throws {
    let target = folder.url.appending(path: "target").path
    try Data().write(to: URL(fileURLWithPath: target))
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
    let writer = try writer()
    writer.beginSequence(label: "")
    add(0..<1, to: writer)
    try writer.finish()
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == target)
    #expect(try RoutingTrace(contentsOf: target).tokenCount == 1)
  }

  @Test func whatCannotBeWrittenIsRefusedAtOnce() throws {
    for (path, named) in [
      ("", "empty"), ("/nowhere/a", "No such file"), (folder.url.path, "not a regular file"),
      ("/dev/null", "not a regular file"),
    ] {
      let error = #expect(throws: RoutingTraceWriteError.self) {
        try RoutingTraceWriter.check(path)
      }
      #expect(error?.description.contains(named) == true, "\(error?.description ?? "")")
    }
    try RoutingTraceWriter.check(path)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    let error = #expect(throws: RoutingTraceWriteError.self) {
      try RoutingTrace(layerCount: 1, expertsPerToken: 1, experts: [40_000]).write(
        to: path + ".npz")
    }
    #expect(error?.description.contains("32767") == true)
  }
}
