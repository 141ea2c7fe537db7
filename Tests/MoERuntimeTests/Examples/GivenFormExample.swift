import MoERuntime

func describeAnimal(with engine: Engine) async throws -> String {
  let schema = """
    {
      "type": "object",
      "properties": {
        "name": {"type": "string", "maxLength": 12},
        "legs": {"type": "integer", "minimum": 0, "maximum": 8}
      },
      "required": ["name", "legs"],
      "additionalProperties": false
    }
    """
  var options = GenerationOptions()
  options.grammar = try engine.grammar(jsonSchema: schema)
  options.sampling = .greedy
  options.tokenCountMax = 300
  var json = ""
  for try await token in engine.generate("An animal as JSON:", options) { json += token.text }
  return json
}
