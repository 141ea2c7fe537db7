/// Where a conversation's messages come from.
protocol ChatInput: AnyObject {
  /// Whether a person may give commands.
  var takesCommands: Bool { get }

  /// The next text; nil at the end.
  func next(_ prompt: String) throws -> String?
}

/// A person at a terminal.
final class TerminalInput: ChatInput {
  let takesCommands = true
  private let editor = LineEditor()

  func next(_ prompt: String) -> String? {
    var wasInterrupted = false
    while true {
      switch editor.read(prompt: prompt) {
      case .text(let text): return text
      case .ended: return nil
      case .interrupted:
        if wasInterrupted { return nil }
        wasInterrupted = true
        StandardError.write("(Ctrl-C once more, Ctrl-D or /quit ends)\n")
      }
    }
  }
}

/// Lines of standard input, where it is no terminal.
final class LineInput: ChatInput {
  let takesCommands = false

  func next(_ prompt: String) throws -> String? {
    guard let line = readLine(strippingNewline: true) else { return nil }
    return line
  }
}
