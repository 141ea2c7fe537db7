package import MoECore
package import MoERuntime
package import MoETemplates

/// What other modules give a server.
package struct ServerHooks: Sendable {
  /// Makes of a wanted form what changes a generation so that it has it; throws, with a sentence
  /// for whoever asked, where it can't. Nil: requests for a form are refused.
  package var constrain:
    (
      @Sendable (OutputConstraint, ConstrainedAnswer) throws
        -> @Sendable (inout GenerationOptions) -> Void
    )?
  /// What the experts do now, for `/v1/experts/live`; nil where it is not known.
  package var liveStatus: (@Sendable () async -> JSON?)?
  /// The chat template that is used. Nil: the model's own.
  package var chatTemplate: ChatFormat.Source?
  /// What the template is told besides, where a request does not say.
  package var templateVariables: [String: TemplateVariable] = [:]
  /// Where texts come from. Nil: the engine.
  package var textSource: (@Sendable (Engine) -> any TextSource)?
  /// Between the comments that keep a connection alive.
  package var keepAliveInterval = Duration.seconds(1)

  package init() {}
}

/// The form that an answer is to have.
package enum OutputConstraint: Sendable, Hashable {
  /// Any JSON object.
  case jsonObject
  /// JSON that the schema allows.
  case jsonSchema(JSON)
  /// What a grammar in GBNF allows.
  case grammar(String)
}

/// The answer that is to have a form.
package struct ConstrainedAnswer: Sendable {
  package let engine: Engine
  /// Tokens before the answer.
  package let promptTokenCount: Int
  /// Names of the styles that tell thinking from the answer: the form begins after thinking.
  package let styles: [String]
  /// Whether the prompt has opened thinking.
  package let startsInThinking: Bool
}
