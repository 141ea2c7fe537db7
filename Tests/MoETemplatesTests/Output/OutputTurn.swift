import MoECore
import MoETemplates

/// What the events of one turn say together.
struct OutputTurn: Equatable, CustomStringConvertible {
  struct Call: Equatable {
    var id: String?
    var name: String
    var arguments = ""
    var isComplete = true
  }

  var thinking = ""
  var content = ""
  var calls: [Call] = []
  /// What an incomplete call has besides.
  var unread: String?

  init(thinking: String = "", content: String = "", calls: [Call] = [], unread: String? = nil) {
    self.thinking = thinking
    self.content = content
    self.calls = calls
    self.unread = unread
  }

  init(_ events: [OutputEvent]) {
    for event in events {
      switch event {
      case .content(let text): content += text
      case .thinking(let text): thinking += text
      case .toolCallStarted(_, let id, let name):
        calls.append(Call(id: id, name: name, isComplete: false))
      case .toolCallArguments(let index, let text): calls[index].arguments += text
      case .toolCallEnded(let index): calls[index].isComplete = true
      case .toolCallIncomplete(_, let text): unread = text
      }
    }
  }

  var description: String {
    "thinking \(thinking.debugDescription) content \(content.debugDescription) calls \(calls) "
      + "unread \(unread.debugDescription)"
  }
}

/// Runs of a parser over a text that comes in pieces.
enum OutputRun {
  /// The events of the pieces, neighbours joined.
  static func events(
    _ pieces: [[UInt8]], styles: [String], tools: [OutputTool], startsInThinking: Bool = false
  ) throws -> [OutputEvent] {
    var parser = try OutputParser(
      styles: styles, tools: tools, startsInThinking: startsInThinking)
    var events: [OutputEvent] = []
    func add(_ new: [OutputEvent]) {
      for event in new {
        if let joined = events.last?.joined(with: event) {
          events[events.count - 1] = joined
        } else {
          events.append(event)
        }
      }
    }
    for piece in pieces { add(parser.consume(piece)) }
    add(parser.finish())
    return events
  }

  /// The text cut into pieces of random lengths.
  static func pieces(_ text: [UInt8], by generator: inout SeededGenerator) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var rest = text[...]
    while !rest.isEmpty {
      let count = Int.random(in: 1...9, using: &generator)
      pieces.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    return pieces
  }
}
