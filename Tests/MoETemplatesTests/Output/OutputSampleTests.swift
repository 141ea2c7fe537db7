import MoECore
import MoETemplates
import Testing

/// Every style on outputs as its models write them, however these are cut.
@Suite struct OutputSampleTests {
  private func events(_ sample: OutputSample, _ pieces: [[UInt8]]) throws -> [OutputEvent] {
    try OutputRun.events(
      pieces, styles: sample.styles, tools: OutputTools.all(),
      startsInThinking: sample.startsInThinking)
  }

  @Test(arguments: OutputSamples.all)
  func readsWhatTheModelSaid(_ sample: OutputSample) throws {
    let read = OutputTurn(try events(sample, [Array(sample.text.utf8)]))
    #expect(read == sample.turn())
  }

  @Test(arguments: OutputSamples.all)
  func givesTheSameHoweverTheTextIsCut(_ sample: OutputSample) throws {
    let text = Array(sample.text.utf8)
    let whole = try events(sample, [text])
    let bytewise = try events(sample, text.map { [$0] })
    #expect(bytewise == whole)
    for cut in 0...text.count {
      let pieces = [Array(text[..<cut]), Array(text[cut...])]
      let cutEvents = try events(sample, pieces)
      #expect(cutEvents == whole, "cut at byte \(cut)")
    }
    for seed in 0..<UInt64(20) {
      var generator = SeededGenerator(seed: seed)
      let pieces = OutputRun.pieces(text, by: &generator)
      let cutEvents = try events(sample, pieces)
      #expect(cutEvents == whole, "seed \(seed)")
    }
  }

  @Test(arguments: OutputSamples.all)
  func losesNothingWhereTheOutputEndsEarly(_ sample: OutputSample) throws {
    let text = Array(sample.text.utf8)
    let whole = sample.turn()
    for cut in 0...text.count {
      let prefix = Array(text[..<cut])
      guard String(validating: prefix, as: UTF8.self) != nil else { continue }
      let turn = OutputTurn(try events(sample, [prefix]))
      let context: Comment = "cut at byte \(cut): \(turn)"
      #expect(isBeginning(turn.thinking, of: whole.thinking, but: prefix), context)
      #expect(isBeginning(turn.content, of: whole.content, but: prefix), context)
      #expect(turn.calls.count <= whole.calls.count, context)
      for (call, full) in zip(turn.calls, whole.calls) {
        #expect(call.name == full.name && call.id == full.id, context)
        let isPrefix = full.arguments.utf8.starts(with: call.arguments.utf8)
        #expect(isPrefix, context)
        if call.isComplete { #expect(call.arguments == full.arguments, context) }
      }
      let areEnded = turn.calls.dropLast().allSatisfy { $0.isComplete }
      #expect(areEnded, context)
      if turn.calls.last?.isComplete == false { #expect(turn.unread != nil, context) }
      let unread = Array((turn.unread ?? "").utf8)
      let end = Array(prefix.suffix(unread.count))
      #expect(unread == end, context)
    }
  }

  /// Whether a text is the beginning of another one, but for what ends the output too, as the
  /// beginning of a marker does.
  private func isBeginning(_ text: String, of whole: String, but output: [UInt8]) -> Bool {
    let common = zip(text.utf8, whole.utf8).prefix { $0 == $1 }.count
    let rest = Array(text.utf8.dropFirst(common))
    return output.suffix(rest.count).elementsEqual(rest)
  }

  @Test func everyStyleHasASample() {
    let sampled = Set(OutputSamples.all.flatMap(\.styles))
    #expect(OutputStyleRegistry.all.filter { !sampled.contains($0.name) }.map(\.name) == [])
  }

  @Test func entriesSayWhatTheyAre() {
    let names = OutputStyleRegistry.all.map(\.name)
    #expect(Set(names).count == names.count)
    for style in OutputStyleRegistry.all {
      #expect(style.summary.hasSuffix(".") && style.summary.count <= 80)
    }
  }

  @Test func refusesAnUnknownStyle() {
    #expect(throws: OutputStyleError.self) { try OutputParser(styles: ["think", "thunk"]) }
  }
}
