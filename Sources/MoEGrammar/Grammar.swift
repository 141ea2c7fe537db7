package import MoECore

/// The form that a text has to have: rules that refer to each other, one of them for the whole.
///
/// Made from a grammar in llama.cpp's GBNF or from a JSON schema. It is the same for all models;
/// `CompiledGrammar` joins it with a vocabulary.
package struct Grammar: Sendable {
  package struct Rule: Sendable {
    package var name: String
    package var expression: GrammarExpression

    package init(name: String, expression: GrammarExpression) {
      self.name = name
      self.expression = expression
    }
  }

  package let rules: [Rule]
  /// The rule of the whole text.
  package let root: Int
  /// How many rules may be in each other while a text is written.
  package let depthMax: Int

  package init(rules: [Rule], root: Int, depthMax: Int) {
    self.rules = rules
    self.root = root
    self.depthMax = depthMax
  }

  /// Reads a grammar in GBNF. Its rule `root` is the whole text.
  ///
  /// Throws where the text isn't GBNF, uses a rule that it doesn't define, or is too large; the
  /// error has the line.
  package init(gbnf text: String) throws(GrammarError) {
    self = try GBNFReader.grammar(of: text)
  }

  /// The texts that are JSON and valid by a schema (draft 2020-12).
  ///
  /// Throws where the schema isn't one, or has a keyword that would change what is valid and can't
  /// be enforced: nothing is passed over but annotations. Of all valid texts these are left out:
  ///
  /// - Members in another order than the schema's, and members that it doesn't name unless
  ///   `additionalProperties` is given or it names none at all.
  /// - More white space than pretty-printing needs: after `{`, `[` and `,` and before `}` and `]` a
  ///   space, or a line break and indentation; after `:` a space.
  /// - Elements behind those of `prefixItems`, unless `items` is given or `minItems` asks for them.
  /// - Values of other types than keywords are about, where `type` is missing.
  /// - Numbers of more than 40 digits before or after the point, or with exponents past 250; whole
  ///   numbers with a point or an exponent; in a range, numbers with an exponent; `-0` in a range
  ///   without negative numbers.
  /// - Needless escapes (`\u0061`) of ASCII letters, digits and spaces in strings that are
  ///   constrained, and lone surrogates.
  /// - What engines of regular expressions don't agree on: letters and digits past ASCII for `\w`
  ///   and `\d`; and rare forms of formats (`StringFormat`).
  /// - Values nested deeper than about 60 levels.
  package init(jsonSchema schema: JSON) throws(GrammarError) {
    self = try SchemaCompiler.grammar(of: schema)
  }

  /// Any JSON object.
  package static func anyJSONObject() throws(GrammarError) -> Grammar {
    var rules = JSONRules()
    let root = try rules.reserve(named: "root")
    rules.rules[root].expression = try rules.anyObject()
    return Grammar(rules: rules.rules, root: root, depthMax: GrammarLimits.valueDepthMax)
  }
}
