/// What a grammar or a schema, which comes from a stranger, may cost.
package enum GrammarLimits {
  /// Bytes of a grammar's text.
  package static let sourceByteCountMax = 1 << 20
  /// Groups in each other in a grammar's text or in a regular expression.
  package static let nestingMax = 64
  /// Rules of a grammar, those that a schema is turned into included.
  package static let ruleCountMax = 20_000
  /// How often something may be asked for at least; more at most is the same as without a limit.
  package static let repetitionCountMax = 1 << 20
  /// Nodes and edges of a compiled grammar, about 20 bytes each.
  package static let nodeCountMax = 1 << 19
  package static let edgeCountMax = 1 << 20
  /// Steps of the analyses before a grammar is compiled.
  package static let analysisStepCountMax = 20_000_000
  /// States of the automaton that one regular expression, format, list of strings or range of
  /// numbers becomes.
  package static let automatonStateCountMax = 30_000
  /// Nodes of the same before it is made deterministic, and steps of making it so.
  package static let patternNodeCountMax = 50_000
  package static let automatonStepCountMax = 4_000_000
  /// Ways to choose from all `anyOf` and `oneOf` of one place in a schema.
  package static let choiceCountMax = 1000
  /// Steps of finding these ways, and of telling alternatives apart.
  package static let choiceStepCountMax = 200_000
  /// Values of all `enum` of a schema, and characters of all names and strings that it lists.
  package static let enumerationCountMax = 50_000
  package static let listedCharacterCountMax = 400_000
  /// Rules in each other that a text written by a grammar in GBNF may be in.
  package static let depthMax = 200
  /// The same for JSON: it may nest as deep as `JSON` reads.
  package static let valueDepthMax = 60
  /// Work for one mask or one token, in visits of a node.
  package static let stepCountMax = 20_000_000
  /// Bytes of the states that are kept from one call to the next, and during a call.
  package static let stateByteCountMax = 16 << 20
  package static let stateByteCountPeak = 64 << 20
  package static let portableByteCountMax = 4 << 20
  /// Bytes of the judgements about tokens that are kept: those that hold wherever a rule is used,
  /// and those of whole states.
  package static let judgementByteCountMax = 24 << 20
  package static let maskByteCountMax = 8 << 20
  /// Bytes of a token; longer ones are never written.
  package static let tokenByteCountMax = 1024
}
