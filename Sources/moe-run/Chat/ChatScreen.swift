import MoETemplates

/// Shows answers as they come: thinking dimmed or left out, calls on lines of their own.
struct ChatScreen {
  private enum Part {
    case nothing, content, thinking, call
  }

  let hidesThinking: Bool
  private var part = Part.nothing
  private var endsLine = true

  private static let (dim, plain) = ("\u{1B}[2m", "\u{1B}[0m")

  init(hidesThinking: Bool) { self.hidesThinking = hidesThinking }

  mutating func show(_ event: OutputEvent) throws(Failure) {
    switch event {
    case .content(let text): try write(text, as: .content)
    case .thinking(let text): if !hidesThinking { try write(text, as: .thinking) }
    case .toolCallStarted(_, _, let name):
      try begin(.nothing)
      try write("→ \(name)(", as: .call)
    case .toolCallArguments(_, let text): try write(text, as: .call)
    case .toolCallEnded:
      try write(")", as: .call)
      try begin(.nothing)
    case .toolCallIncomplete(_, let unread): try write(unread, as: .call)
    }
  }

  /// Ends the answer's last line.
  mutating func end() throws(Failure) {
    try begin(.nothing)
    if !endsLine { try StandardOutput.write("\n") }
    endsLine = true
  }

  private mutating func write(_ text: String, as part: Part) throws(Failure) {
    guard let last = text.unicodeScalars.last else { return }
    try begin(part)
    try StandardOutput.write(StandardOutput.isTerminal ? Self.harmless(text) : text)
    endsLine = last == "\n"
  }

  /// What a model writes commands no terminal.
  private static func harmless(_ text: String) -> String {
    guard
      text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" && $0 != "\t" })
    else { return text }
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      scalars.append(scalar.value < 0x20 && scalar != "\n" && scalar != "\t" ? "·" : scalar)
    }
    return String(scalars)
  }

  private mutating func begin(_ next: Part) throws(Failure) {
    guard next != part else { return }
    if part == .thinking, StandardOutput.isTerminal { try StandardOutput.write(Self.plain) }
    if part != .nothing, !endsLine {
      try StandardOutput.write("\n")
      endsLine = true
    }
    if next == .thinking, StandardOutput.isTerminal { try StandardOutput.write(Self.dim) }
    part = next
  }
}
