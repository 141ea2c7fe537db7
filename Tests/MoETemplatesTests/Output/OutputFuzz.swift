import Foundation
import MoECore
import MoETemplates
import MoETestSupport
import Testing

/// Random texts made of markers, their halves and what may stand between them.
@Suite struct OutputFuzz {
  /// An iteration takes as long as twenty of other fuzz tests.
  private static let iterationCount = Fuzz.iterationCount(1200) / 20
  private static let firstSeed = Fuzz.firstSeed

  private static let scraps = [
    "a", " ", "\n", "é", "漢", "🙂", "{", "}", "[", "]", "\"", "\\", ":", ",", "'", "(", ")", "=",
    "<",
    ">", "|", "<think>", "</think>", "\"name\"", "\"arguments\"", "\"now\"", "now", "True", "1",
    "{\"name\": \"now\", \"arguments\": {", "\\u12", "\\ud83d", "to=functions.now", "<|\"|>",
  ]

  /// Pieces of the style's samples, so that whole markers come often.
  private func pieces(of style: String, by generator: inout SeededGenerator) -> [UInt8] {
    var text: [UInt8] = []
    let samples = OutputSamples.all.filter { $0.styles.contains(style) }
    for _ in 0..<Int.random(in: 1...12, using: &generator) {
      switch Int.random(in: 0..<4, using: &generator) {
      case 0, 1: text += Array((Self.scraps.randomElement(using: &generator) ?? "").utf8)
      case 2: text.append(UInt8.random(in: 0...255, using: &generator))
      default:
        let sample = Array((samples.randomElement(using: &generator)?.text ?? "").utf8)
        let start = Int.random(in: 0...sample.count, using: &generator)
        let count = Int.random(in: 0...80, using: &generator)
        text += sample[start...].prefix(count)
      }
    }
    return text
  }

  @Test(arguments: OutputStyleRegistry.all.map(\.name))
  func cutsChangeNothing(_ style: String) throws {
    for iteration in 0..<UInt64(Self.iterationCount) {
      let seed = Self.firstSeed &+ iteration
      var generator = SeededGenerator(seed: seed)
      let text = pieces(of: style, by: &generator)
      let styles = Bool.random(using: &generator) ? [style] : [style, "think", "hermes"]
      let startsInThinking = Bool.random(using: &generator)
      let tools = try OutputTools.all()
      func events(_ pieces: [[UInt8]]) throws -> [OutputEvent] {
        try OutputRun.events(
          pieces, styles: styles, tools: tools, startsInThinking: startsInThinking)
      }
      let whole = try events([text])
      let context: Comment =
        "seed \(seed): \(String(decoding: text, as: UTF8.self).debugDescription)"
      let bytewise = try events(text.map { [$0] })
      #expect(bytewise == whole, context)
      let piecewise = try events(OutputRun.pieces(text, by: &generator))
      #expect(piecewise == whole, context)
      expectOrder(whole, context)
    }
  }

  /// Calls are numbered from 0 and are started, given arguments and ended one after another. At
  /// most one is incomplete, and it is the last.
  private func expectOrder(_ events: [OutputEvent], _ context: Comment) {
    var count = 0
    var isOpen = false
    var isCut = false
    for event in events {
      switch event {
      case .toolCallStarted(let index, _, let name):
        #expect(index == count && !isOpen && !isCut && !name.isEmpty, context)
        count += 1
        isOpen = true
      case .toolCallArguments(let index, let text):
        #expect(index == count - 1 && isOpen && !text.isEmpty, context)
      case .toolCallEnded(let index):
        #expect(index == count - 1 && isOpen, context)
        isOpen = false
      case .toolCallIncomplete(let index, _):
        #expect(index == (isOpen ? count - 1 : count) && !isCut, context)
        isCut = true
        isOpen = false
      case .content, .thinking: break
      }
    }
    #expect(!isOpen, context)
  }

  @Test func readsAnyJSONOrRefusesIt() throws {
    for iteration in 0..<UInt64(Self.iterationCount * 20) {
      var generator = SeededGenerator(seed: Self.firstSeed &+ iteration)
      var text: [UInt8] = Array(OutputTools.routeSchema.utf8)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<text.count, using: &generator)
        text[index] = UInt8.random(in: 0...127, using: &generator)
      }
      let string = String(decoding: text, as: UTF8.self)
      let ours = try? JSON(text: string)
      let theirs = try? JSONSerialization.jsonObject(with: Data(text))
      // Foundation is not strict about everything, so it may read more, never less.
      if ours != nil { #expect(theirs != nil, "seed \(Self.firstSeed &+ iteration): \(string)") }
    }
  }
}
