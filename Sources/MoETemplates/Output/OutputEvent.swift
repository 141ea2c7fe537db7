/// What a parser of a model's output has found.
///
/// Neighbouring pieces of content, thinking or one call's arguments belong together, however many
/// events they come in. No text ends inside a character.
package enum OutputEvent: Hashable, Sendable {
  /// A piece of the answer.
  case content(String)
  /// A piece of what the model says to itself.
  case thinking(String)
  /// A call begins. Indices count from 0. The id is nil where the model gave none before the
  /// arguments.
  case toolCallStarted(index: Int, id: String?, name: String)
  /// A piece of the call's arguments. All of them joined are JSON where the model wrote it well.
  case toolCallArguments(index: Int, String)
  /// The call is complete.
  case toolCallEnded(index: Int)
  /// The output ended inside a call. `unread` is the part of it that no other event shows. Where
  /// the name was not complete yet, that is the whole call, and it has no `toolCallStarted`.
  case toolCallIncomplete(index: Int, unread: String)
}

extension OutputEvent {
  /// The event with another one's text behind its own; nil where the two are not one piece.
  package func joined(with next: OutputEvent) -> OutputEvent? {
    switch (self, next) {
    case (.content(let left), .content(let right)): .content(left + right)
    case (.thinking(let left), .thinking(let right)): .thinking(left + right)
    case (.toolCallArguments(let index, let left), .toolCallArguments(let other, let right))
    where index == other:
      .toolCallArguments(index: index, left + right)
    default: nil
    }
  }
}
