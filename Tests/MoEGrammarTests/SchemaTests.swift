import MoECore
import MoEGrammar
import Testing

/// Schemas by hand: what is written, what is left out by design, and what isn't valid.
@Suite struct SchemaTests {
  @Test(arguments: SchemaCase.all) func acceptsWhatTheSchemaAllows(_ one: SchemaCase) throws {
    let grammar = try Grammar(jsonSchema: JSON(text: one.schema))
    guard !one.accepted.isEmpty else {
      let error = #expect(throws: GrammarError.self) {
        try CompiledGrammar(grammar, vocabulary: byteVocabulary)
      }
      #expect(error?.reason == .impossible)
      return
    }
    let compiled = try CompiledGrammar(grammar, vocabulary: byteVocabulary)
    for text in one.accepted { #expect(try compiled.accepts(text), "\(text)") }
    for text in one.leftOut + one.refused { #expect(try !compiled.accepts(text), "\(text)") }
  }

  @Test(PythonOracle.needed) func thePythonOracleAgrees() throws {
    var cases: [PythonOracle.Case] = []
    for one in SchemaCase.all {
      let schema = try JSON(text: one.schema)
      for text in one.accepted + one.leftOut {
        cases.append(
          .init(schema: schema, text: text, isValid: true, checksSchema: true, one.schema))
      }
      for text in one.refused {
        cases.append(.init(schema: schema, text: text, isValid: false, one.schema))
      }
    }
    #expect(cases.count > 400)
    try PythonOracle.check(cases)
  }

  @Test(arguments: [
    (##"{"not":{"type":"null"}}"##, "not", "#"),
    (##"{"if":{},"then":{}}"##, "if", "#"),
    (##"{"properties":{"a":{"multipleOf":2}}}"##, "multipleOf", "#/properties/a"),
    (##"{"type":"array","uniqueItems":true}"##, "uniqueItems", "#"),
    (##"{"contains":{"type":"null"}}"##, "contains", "#"),
    (##"{"dependentRequired":{"a":["b"]}}"##, "dependentRequired", "#"),
    (##"{"dependentSchemas":{}}"##, "dependentSchemas", "#"),
    (##"{"unevaluatedProperties":false}"##, "unevaluatedProperties", "#"),
    (##"{"$dynamicRef":"#a"}"##, "$dynamicRef", "#"),
    (##"{"items":[{"type":"null"}]}"##, "items", "#"),
    (##"{"nullable":true,"type":"string"}"##, "nullable", "#"),
    (##"{"$ref":"https://example.com/schema"}"##, "$ref", "#"),
    (##"{"$ref":"#/$defs/none"}"##, "$ref", "#"),
    (##"{"$ref":"#name"}"##, "$ref", "#"),
    (##"{"$ref":"#"}"##, "refers to itself", "#"),
    (##"{"anyOf":[{"$ref":"#"},{"type":"null"}]}"##, "refers to itself", "#/anyOf"),
    (##"{"oneOf":[{"$ref":"#"},{"type":"null"}]}"##, "refers to itself", "#/oneOf"),
    (
      ##"""
      {"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"$ref":
      "#/$defs/a"}}}
      """##,
      "refers to itself", "#/$defs/a"
    ),
    (##"{"pattern":"(?=a)b"}"##, "condition", "#"),
    (##"{"pattern":"a\\b"}"##, "word boundary", "#"),
    (##"{"pattern":"(a)\\1"}"##, "reference", "#"),
    (##"{"pattern":"\\p{L}"}"##, "class of Unicode", "#"),
    (##"{"pattern":"(?i)a"}"##, "group (?i", "#"),
    (##"{"pattern":"["}"##, "ends too early", "#"),
    (##"{"pattern":"a**"}"##, "repeats a repetition", "#"),
    (##"{"pattern":"a{,3}"}"##, "write \\{", "#"),
    (##"{"pattern":"(a"}"##, "without its )", "#"),
    (##"{"pattern":"a)"}"##, "without its (", "#"),
    (##"{"pattern":"[b-a]"}"##, "wrong order", "#"),
    (##"{"pattern":"\\q"}"##, "escape \\q", "#"),
    (##"{"oneOf":[{"type":"integer"},{"type":"number"}]}"##, "oneOf", "#/oneOf"),
    (##"{"oneOf":[{"required":["a"]},{"required":["b"]}],"type":"object"}"##, "oneOf", "#/oneOf"),
    (
      ##"{"oneOf":[{"type":"string","maxLength":5},{"type":"string","minLength":5}]}"##, "oneOf",
      "#/oneOf"
    ),
    (
      ##"{"oneOf":[{"type":"string","format":"date"},{"type":"string","pattern":"^[a-z]"}]}"##,
      "oneOf", "#/oneOf"
    ),
    (
      ##"{"oneOf":[{"enum":["a","b"]},{"type":"string","format":"date"}]}"##, "oneOf", "#/oneOf"
    ),
    (##"{"type":"object","minProperties":2}"##, "minProperties", "#"),
    (##"{"type":"number","exclusiveMinimum":0.12345678901234567}"##, "15 digits", "#"),
    (##"{"type":"strin"}"##, "type must be", "#"),
    (##"{"type":3}"##, "type must be", "#"),
    (##"{"minimum":"1"}"##, "minimum must be a number", "#"),
    (##"{"exclusiveMinimum":true}"##, "exclusiveMinimum must be a number", "#"),
    (##"{"minLength":-1}"##, "minLength must be", "#"),
    (##"{"minLength":1.5}"##, "minLength must be", "#"),
    (##"{"minItems":99999999}"##, "minItems is larger", "#"),
    (##"{"required":"a"}"##, "required must be an array", "#"),
    (##"{"properties":[]}"##, "properties must be an object", "#"),
    (##"{"anyOf":[]}"##, "anyOf must not be empty", "#"),
    (##"{"properties":{"a":1}}"##, "here is a number", "#/properties/a"),
    (##"{"minimum":1e999}"##, "digits", "#"),
    (##"{"properties":{"a~/b":{"allOf":[{"foo":1}]}}}"##, "foo", "#/properties/a~0~1b/allOf/0"),
    ("[]", "here is an array", "#"),
  ])
  func refusesByName(_ schema: String, _ problem: String, _ pointer: String) throws {
    let schema = try JSON(text: schema)
    let error = #expect(throws: GrammarError.self) { try Grammar(jsonSchema: schema) }
    #expect(error?.problem.contains(problem) ?? false, "\(error?.description ?? "")")
    #expect(error?.place == .schema(pointer), "\(error?.description ?? "")")
  }

  @Test(arguments: [
    "false", #"{"type":"integer","minimum":2,"maximum":1}"#,
    #"{"allOf":[{"type":"null"},{"type":"string"}]}"#,
    #"{"const":1,"type":"string"}"#,
    #"{"type":"object","required":["a"],"properties":{"a":false}}"#,
    #"{"type":"object","required":["a"],"additionalProperties":false}"#,
    #"{"type":"array","items":false,"minItems":1}"#,
    #"{"type":"object","minProperties":1,"maxProperties":0}"#,
    #"{"type":"integer","exclusiveMinimum":1,"exclusiveMaximum":2}"#,
    #"{"type":"string","pattern":"a^"}"#,
    ##"""
    {"$defs":{"n":{"type":"object","required":["n"],"properties":{"n":{"$ref":
    "#/$defs/n"}}}},"$ref":"#/$defs/n"}
    """##,
  ])
  func saysThatNothingFits(_ schema: String) throws {
    let grammar = try Grammar(jsonSchema: JSON(text: schema))
    let error = #expect(throws: GrammarError.self) {
      try CompiledGrammar(grammar, vocabulary: byteVocabulary)
    }
    #expect(error?.reason == .impossible)
  }

  @Test func anyObjectIsAnObject() throws {
    let compiled = try CompiledGrammar(Grammar.anyJSONObject(), vocabulary: byteVocabulary)
    for text in ["{}", "{\"a\": [1, {\"b\": \"c\"}]}", "{\n  \"a\": null\n}"] {
      #expect(try compiled.accepts(text))
    }
    for text in ["", "[]", "1", "{", "{}}", "null"] { #expect(try !compiled.accepts(text)) }
  }
}
