/// A piece of a prompt, by who wrote it.
///
/// What a person wrote is text and never becomes a control token, whatever it looks like; what the
/// program or the model's template wrote may name control tokens. Neighbouring segments without a
/// special token between them are encoded as one text.
public enum PromptSegment: Sendable, Hashable {
  /// Text that is text alone.
  case text(String)
  /// Text of a template: names of special tokens in it are those tokens.
  case markup(String)
  /// A token by its id, as it is; an id outside the vocabulary is found when the prompt is run.
  case token(Int32)
}
