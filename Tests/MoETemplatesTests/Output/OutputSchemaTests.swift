import MoECore
import MoETemplates
import Testing

@Suite struct OutputSchemaTests {
  private static let schema = """
    {"type": "object", "required": ["place"], "additionalProperties": false, "properties": {
     "place": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]},
     "days": {"type": "integer"}, "stops": {"type": "array", "items": {"type": "string"}},
     "level": {"enum": [1, null]},
     "avoid": {"type": ["object", "null"], "properties": {"tolls": {"type": "boolean"}}}}}
    """

  @Test(arguments: [
    (#"{"place": "Oslo"}"#, []),
    (#"{"place": "Oslo", "unit": "f", "days": 3.0, "stops": [], "avoid": null}"#, []),
    (#"{"place": "Oslo", "level": 1.0}"#, []),
    (#"{}"#, ["'place' is missing."]),
    (#"[]"#, ["The arguments are an array, not an object."]),
    (#"{"place": 1}"#, ["'place' is a number, not a string."]),
    (#"{"place": "", "unit": "k"}"#, ["'unit' is none of the values that are allowed."]),
    (#"{"place": "", "level": 2}"#, ["'level' is none of the values that are allowed."]),
    (#"{"place": "", "days": 1.5}"#, ["'days' is a number, not an integer."]),
    (#"{"place": "", "stops": ["a", 1]}"#, ["'stops[1]' is a number, not a string."]),
    (#"{"place": "", "avoid": 1}"#, ["'avoid' is a number, not an object or null."]),
    (
      #"{"place": "", "avoid": {"tolls": "x"}}"#,
      ["'avoid.tolls' is a string, not a boolean."]
    ),
    (#"{"place": "", "x": 1}"#, ["'x' is no argument of this tool."]),
    (
      #"{"place": "#,
      ["The arguments are not JSON: the JSON text is wrong at byte 10: wanted a value."]
    ),
    ("", ["The arguments are not JSON: the JSON text is wrong at byte 0: wanted a value."]),
  ])
  func checksArguments(_ arguments: String, _ problems: [String]) throws {
    let tool = try OutputTool(name: "t", schema: Self.schema)
    #expect(tool.problems(arguments: arguments) == problems)
  }

  @Test func givesAtMostSoManySentences() throws {
    let tool = try OutputTool(name: "t", schema: #"{"items": {"type": "string"}}"#)
    let arguments = "[" + [String](repeating: "1", count: 1000).joined(separator: ",") + "]"
    #expect(tool.problems(arguments: arguments).count == 32)
  }

  @Test func refusesASchemaThatIsNoJSON() {
    #expect(throws: JSONError.self) { try OutputTool(name: "t", schema: "{") }
  }
}
