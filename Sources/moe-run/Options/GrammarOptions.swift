import ArgumentParser
import MoERuntime

/// The form that a generated text must have.
struct GrammarOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The form of the text: a grammar in GBNF, or a file with one.", valueName: "text|file"),
    completion: .file(extensions: ["gbnf"]))
  var grammar: String?

  @Option(
    name: [.customLong("json-schema"), .customShort("j")],
    help: ArgumentHelp(
      "The text is JSON that is valid by this schema, or by the one in a file; '{}' is any JSON.",
      valueName: "schema|file"),
    completion: .file(extensions: ["json"]))
  var jsonSchema: String?

  func validate() throws {
    if grammar != nil && jsonSchema != nil {
      throw ValidationError("give --grammar or --json-schema, not both")
    }
  }

  var isGiven: Bool { grammar != nil || jsonSchema != nil }

  func outputGrammar(_ engine: Engine) throws -> OutputGrammar? {
    if let grammar {
      // A grammar has an arrow in it, which a file's name has not.
      return try engine.grammar(
        gbnf: grammar.contains("::=") ? grammar : InputText.file(grammar))
    }
    return try jsonSchema.map {
      let isSchema = $0.drop { $0.isWhitespace }.hasPrefix("{")
      return try engine.grammar(jsonSchema: isSchema ? $0 : InputText.file($0))
    }
  }
}
