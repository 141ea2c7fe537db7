/// Tells a model's thinking, tool calls and content apart while its output streams in.
///
/// The text must have special tokens in it as they are written, without the token that ends the
/// turn. How it is cut into pieces changes nothing: neighbouring events joined, the result is the
/// same. Held back is only what could be the beginning of a marker or stands before it as white
/// space, and a call until its name is known; `OutputLimits` bounds all of it. White space around
/// markers is dropped.
///
///     var parser = try OutputParser(styles: OutputStyle.detect(template: template), tools: tools)
///     for piece in pieces { send(parser.consume(piece)) }
///     send(parser.finish())
package struct OutputParser: Sendable {
  private var machine: any OutputMachine
  private var sink = OutputSink()

  /// A parser for a turn in the named styles. With `startsInThinking` the prompt has opened a
  /// section of thinking (`OutputStyle.opensThinking` tells). Throws where no style has a name.
  package init(
    styles names: [String], tools: [OutputTool] = [], startsInThinking: Bool = false
  ) throws(OutputStyleError) {
    var styles: [OutputStyle] = []
    for name in names {
      guard let style = OutputStyleRegistry.style(named: name) else {
        throw .unknownStyle(name: name, known: OutputStyleRegistry.all.map(\.name))
      }
      styles.append(style)
    }
    self.init(styles: styles, tools: tools, startsInThinking: startsInThinking)
  }

  /// The same for styles at hand. Of several with thinking the first counts, and likewise of those
  /// with tools.
  package init(styles: [OutputStyle], tools: [OutputTool] = [], startsInThinking: Bool = false) {
    if let whole = styles.compactMap(\.makeMachine).first {
      machine = whole(startsInThinking)
      return
    }
    let thinking = styles.compactMap(\.thinking).first
    let syntax = styles.compactMap(\.tools).first
    let ignored = styles.flatMap(\.ignored)
    guard thinking != nil || syntax != nil || !ignored.isEmpty else {
      machine = OutputPlainText()
      return
    }
    machine = OutputSections(
      thinking: thinking, syntax: syntax, ignored: ignored, tools: tools,
      startsInThinking: startsInThinking)
  }

  /// The events that are certain once this piece is known.
  package mutating func consume(_ piece: String) -> [OutputEvent] { consume(piece.utf8) }

  /// The same for bytes in UTF-8, which may be cut inside a character.
  package mutating func consume(_ piece: some Sequence<UInt8>) -> [OutputEvent] {
    for byte in piece { machine.read(byte, &sink) }
    return sink.drain()
  }

  /// The last events, at the end of the output. The parser must not be used again.
  package mutating func finish() -> [OutputEvent] {
    machine.finish(&sink)
    return sink.finish()
  }
}
