/// How a family of models marks its thinking, its tool calls or both.
package struct OutputStyle: Sendable {
  package let name: String
  /// One line for `--help`.
  package let summary: String
  /// Texts by which a chat template shows that it is of this style: all of one of the lists.
  let signs: [[String]]
  var thinking: OutputThinking?
  var tools: OutputToolSyntax?
  /// Markers that say nothing, such as those around content.
  var ignored: [String] = []
  /// What stands before content in every turn, in a style that is not made of sections.
  var contentMarker: String?
  /// A machine for a style that is not made of sections. It gets whether the prompt opened
  /// thinking.
  var makeMachine: (@Sendable (_ startsInThinking: Bool) -> any OutputMachine)?

  private var isWhole: Bool { makeMachine != nil }
  private var hasThinking: Bool { thinking != nil || isWhole }
  private var hasTools: Bool { tools != nil || isWhole }
}

/// The markers of a section of thinking.
struct OutputThinking: Sendable {
  let opening: String
  let closing: String
}

/// The markers of tool calls and who reads what is between them.
struct OutputToolSyntax: Sendable {
  /// Markers before one call or a list of them.
  let openings: [String]
  /// Characters that open a call where a turn begins with them.
  var bareOpenings: [UInt8] = []
  /// Markers after calls, which are no content where a reader has not met them.
  var closings: [String] = []
  /// Whether an opening marker counts in the midst of thinking, which then has ended. Only special
  /// tokens do that: of other markers a model may think.
  var endsThinking = false
  /// A reader of what follows an opening.
  let makeReader: @Sendable (_ opening: String, _ tools: [OutputTool]) -> any OutputCallReader
}

extension OutputStyle {
  /// The names of the styles that a chat template's text shows: for thinking, for tools, or one for
  /// both. Where it shows none, that of plain text.
  package static func detect(template: String) -> [String] {
    let text = Array(template.utf8)
    var found: [OutputStyle] = []
    for style in OutputStyleRegistry.all where style.isShown(in: text) {
      if style.hasThinking && found.contains(where: \.hasThinking) { continue }
      if style.hasTools && found.contains(where: \.hasTools) { continue }
      found.append(style)
    }
    return found.isEmpty ? [OutputStyleRegistry.plain.name] : found.map(\.name)
  }

  /// Whether a prompt ends inside thinking, so that the output begins there, in one of the named
  /// styles.
  package static func opensThinking(prompt: String, styles names: [String]) -> Bool {
    let end = OutputBytes.trimmed(prompt.utf8.suffix(OutputLimits.nameByteCountMax))
    return names.compactMap { OutputStyleRegistry.style(named: $0)?.thinking }.contains {
      end.suffix($0.opening.utf8.count).elementsEqual($0.opening.utf8)
    }
  }

  private func isShown(in template: [UInt8]) -> Bool {
    signs.contains { list in
      list.allSatisfy { OutputBytes.firstIndex(of: $0, in: template) != nil }
    }
  }
}
