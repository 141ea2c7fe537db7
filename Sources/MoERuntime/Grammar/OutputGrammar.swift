private import MoECore
import MoEGrammar
package import MoETemplates

/// The form that a generated text must have: an engine makes it (`Engine.grammar`) and keeps the
/// text to it token by token. Every text that ends by itself then has that form.
public struct OutputGrammar: Sendable {
  let compiled: CompiledGrammar
  /// Where it begins; nil: with the text.
  var start: ContentStart?

  /// The same form for what comes behind a model's thinking.
  package func beginning(behind start: ContentStart?) -> OutputGrammar {
    var grammar = self
    grammar.start = start
    return grammar
  }
}

extension Engine {
  /// The texts of a grammar in GBNF, llama.cpp's language for such; its rule `root` is the whole
  /// text.
  ///
  /// Needs `EngineOptions.holdsGrammars`. Throws `EngineError.grammar` where it cannot be used,
  /// with the line.
  public func grammar(gbnf text: String) throws(EngineError) -> OutputGrammar {
    try grammars.grammar(key: "gbnf " + text) { () throws(GrammarError) in
      try Grammar(gbnf: text)
    }
  }

  /// JSON that is valid by a schema (draft 2020-12). What a schema asks for and cannot be enforced
  /// is an error that names it; nothing is passed over but annotations.
  public func grammar(jsonSchema text: String) throws(EngineError) -> OutputGrammar {
    let schema: JSON
    do {
      schema = try JSON(text: text)
    } catch {
      throw .grammar("the JSON schema cannot be read: \(error)")
    }
    return try grammars.grammar(key: "schema " + text) { () throws(GrammarError) in
      try Grammar(jsonSchema: schema)
    }
  }

  /// Any JSON object.
  public func grammarOfAnyJSONObject() throws(EngineError) -> OutputGrammar {
    try grammars.grammar(key: "object") { () throws(GrammarError) in
      try Grammar.anyJSONObject()
    }
  }
}
