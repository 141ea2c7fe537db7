import MoECore
import MoEGrammar
import MoETemplates
import MoETokenizer

/// Keeps one text to a grammar, from where that begins.
struct GrammarStage {
  private enum Place {
    /// At the beginning, where a section of thinking may be opened.
    case beginning(openingToken: Int32)
    /// Before the marker that content comes behind.
    case thinking
    case content
  }

  private let tokenizer: Tokenizer
  private let closing: [UInt8]
  private var place: Place
  private var matcher: GrammarMatcher
  /// The end of what was written before the content.
  private var tail: [UInt8] = []

  init(_ grammar: OutputGrammar, tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    matcher = GrammarMatcher(grammar.compiled)
    closing = Array((grammar.start?.closing ?? "").utf8)
    place = .content
    guard let start = grammar.start else { return }
    if let opening = start.opening {
      // A marker that is no token of its own cannot be told from content in time.
      let tokens = tokenizer.encode([.markup(opening)], addSpecial: false)
      if tokens.count == 1 { place = .beginning(openingToken: tokens[0]) }
    } else {
      place = .thinking
    }
  }

  /// Forbids what may not come next.
  mutating func restrict(_ logits: FloatView) throws(EngineError) {
    switch place {
    case .thinking:
      // What ends here has no content.
      for token in tokenizer.endTokens where Int(token) < logits.count {
        logits[Int(token)] = -.infinity
      }
    case .beginning(let opening):
      let kept = logits[Int(opening)]
      try applyMask(to: logits)
      logits[Int(opening)] = kept
    case .content: try applyMask(to: logits)
    }
  }

  private mutating func applyMask(to logits: FloatView) throws(EngineError) {
    do {
      let mask = try matcher.allowed()
      var span = unsafe MutableSpan(_unsafeStart: logits.pointer, count: logits.count)
      mask.apply(to: &span)
    } catch {
      throw .grammar(error.description)
    }
  }

  /// A token was drawn.
  mutating func accept(_ token: Int32) throws(EngineError) {
    switch place {
    case .beginning(let opening) where token == opening: place = .thinking
    case .thinking: think(token)
    case .beginning, .content:
      place = .content
      do {
        try matcher.accept(token)
      } catch {
        throw .grammar(error.description)
      }
    }
  }

  private mutating func think(_ token: Int32) {
    tail += tokenizer.decode([token], renderSpecial: true).utf8
    if tail.count >= closing.count, tail.suffix(closing.count).elementsEqual(closing) {
      place = .content
    }
    // More than a token may have behind the marker is not looked at again.
    tail = tail.suffix(closing.count)
  }
}
