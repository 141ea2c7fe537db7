#if Server
  import MoECore
  import MoERuntime
  import MoEServer
  import MoETemplates

  /// Gives served answers the form that a request wants.
  enum ServedGrammar {
    static func constrain(
      _ constraint: OutputConstraint, _ answer: ConstrainedAnswer
    ) throws -> @Sendable (inout GenerationOptions) -> Void {
      let engine = answer.engine
      let grammar =
        switch constraint {
        case .jsonObject: try engine.grammarOfAnyJSONObject()
        case .jsonSchema(let schema): try engine.grammar(jsonSchema: schema.jsonText)
        case .grammar(let text): try engine.grammar(gbnf: text)
        }
      let start = OutputStyle.contentStart(
        styles: answer.styles, startsInThinking: answer.startsInThinking)
      return { $0.grammar = grammar.beginning(behind: start) }
    }
  }
#endif
