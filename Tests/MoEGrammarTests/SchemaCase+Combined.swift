extension SchemaCase {
  static let combined = [
    SchemaCase(#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, ["\"a\"", "null"], not: ["1"]),
    SchemaCase(
      #"""
      {"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"anyOf":[{
      "properties":{"a":{"minimum":5}}},{"properties":{"a":{"maximum":1}}}]}
      """#,
      [#"{"a":5}"#, #"{"a":1}"#], not: [#"{"a":3}"#, "{}"]),
    SchemaCase(
      #"""
      {"anyOf":[{"required":["a"]},{"required":["b"]}],"type":"object","properties":{
      "a":{},"b":{}}}
      """#,
      [#"{"a":1}"#, #"{"b":1}"#, #"{"a":1,"b":2}"#], not: ["{}"]),
    SchemaCase(
      #"{"oneOf":[{"type":"integer"},{"type":"string"}]}"#, ["1", "\"1\""], not: ["null", "1.5"]),
    SchemaCase(
      #"{"oneOf":[{"type":"integer","maximum":0},{"type":"integer","minimum":5}]}"#,
      ["-3", "0", "5"], not: ["3"]),
    SchemaCase(
      #"""
      {"oneOf":[
        {"type":"object","properties":{"kind":{"const":"cat"},"lives":{"type":"integer"}},
        "required":["kind","lives"]},
        {"type":"object","properties":{"kind":{"const":"dog"},"bark":{"type":"boolean"}},
        "required":["kind"]}]}
      """#, [#"{"kind":"cat","lives":9}"#, #"{"kind":"dog"}"#, #"{"kind":"dog","bark":true}"#],
      not: [#"{"kind":"cat"}"#, #"{"kind":"cow"}"#, "{}"]),
    SchemaCase(#"{"oneOf":[{"enum":[1,2]},{"enum":[3,"4"]}]}"#, ["1", "3", "\"4\""], not: ["4"]),
    SchemaCase(
      #"""
      {"oneOf":[{"type":"string","pattern":"^a"},{"type":"string","pattern":"^b"},{
      "type":"array","minItems":1}]}
      """#,
      ["\"ab\"", "\"ba\"", "[1]"], not: ["\"c\"", "[]", "\"\""]),
    SchemaCase(
      #"""
      {"oneOf":[{"type":"object","properties":{"a":{}},"required":["a"],
      "additionalProperties":false},{"type":"object","properties":{"b":{}},"required":[
      "b"]}]}
      """#,
      [#"{"a":1}"#, #"{"b":1}"#], leftOut: [#"{"b":1,"a":2}"#], not: ["{}"]),
    SchemaCase(
      #"""
      {"type":["string","integer"],"oneOf":[{"minLength":2,"type":"string"},{"type":[
      "integer","null"]}]}
      """#,
      ["\"ab\"", "1"], not: ["null", "\"a\""]),
    SchemaCase(
      ##"""
      {"oneOf":[{"type":"null"},{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]},
       {"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}]}
      """##, ["null", #"{"a":null}"#, #"{"a":{"a":"x"}}"#], not: ["{}", #"{"a":1}"#]),
    SchemaCase(
      #"{"allOf":[{"type":["string","null"]},{"type":["null","integer"]}]}"#, ["null"],
      not: ["1", "\"a\""]),
    SchemaCase(
      #"""
      {"allOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{
      "b":{"type":"string"},"a":{"minimum":2}}}],"type":"object"}
      """#,
      [#"{"a":2}"#, #"{"a":3,"b":"x"}"#], not: [#"{"a":1}"#, #"{"a":3,"b":1}"#]),
    SchemaCase(
      #"""
      {"allOf":[{"properties":{"a":{}},"additionalProperties":false},{"properties":{"b":
      {},"a":{"const":1}}}],"type":"object"}
      """#,
      ["{}", #"{"a":1}"#], not: [#"{"b":1}"#, #"{"a":2}"#]),
    SchemaCase(
      #"""
      {"allOf":[{"anyOf":[{"minimum":10},{"maximum":0}]},{"anyOf":[{"type":"integer"},{
      "type":"null"}]}]}
      """#,
      ["10", "-5", "null"], not: ["5", "10.5"]),
    SchemaCase(##"{"$ref":"#/$defs/a","$defs":{"a":{"type":"integer"}}}"##, ["1"], not: ["\"1\""]),
    SchemaCase(
      ##"""
      {"$ref":"#/$defs/a","maximum":5,"$defs":{"a":{"$ref":"#/$defs/b%20c~1~0"},"b c/~":
      {"type":"integer"}}}
      """##,
      ["1", "5"], not: ["6", "1.5"]),
    SchemaCase(
      ##"""
      {"definitions":{"tree":{"type":"object","properties":{"v":{"type":"integer"},
      "kids":{"type":"array","items":{"$ref":"#/definitions/tree"}}},"required":["v"]}},
      "$ref":"#/definitions/tree"}
      """##,
      [#"{"v":1}"#, #"{"v":1,"kids":[]}"#, #"{"v":1,"kids":[{"v":2,"kids":[{"v":3}]},{"v":4}]}"#],
      not: [#"{"kids":[]}"#, #"{"v":1,"kids":[{}]}"#]),
    SchemaCase(
      ##"""
      {"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},
      "required":["next"]}
      """##,
      [#"{"next":null}"#, #"{"next":{"next":{"next":null}}}"#], not: ["{}", #"{"next":1}"#]),
    SchemaCase(
      ##"{"type":"object","properties":{"a":{"type":"string"},"b":{"$ref":"#/properties/a"}}}"##,
      [#"{"a":"x","b":"y"}"#], not: [#"{"b":1}"#]),
    SchemaCase(
      ##"""
      {"$defs":{"n":{"type":"object","properties":{"n":{"$ref":"#/$defs/n"}},"required":
      ["n"]}},"type":"object","properties":{"x":{"$ref":"#/$defs/n"},"y":{"type":
      "null"}}}
      """##,
      ["{}", #"{"y":null}"#], not: [#"{"x":null}"#, #"{"x":{}}"#]),
    SchemaCase(
      ##"""
      {"$id":"https://example.com/a","$defs":{"x":{"$id":"inner","$defs":{"y":{"const":
      1}},"properties":{"p":{"$ref":"#/$defs/y"}},"type":"object"}},"$ref":"#/$defs/x"}
      """##,
      [#"{"p":1}"#, "{}"], not: [#"{"p":2}"#]),
    SchemaCase(
      #"{"enum":[{"a":1,"b":[true]},{"a":2}],"required":["b"],"properties":{"a":{"maximum":1}}}"#,
      [#"{"a":1,"b":[true]}"#, #"{"a": 1, "b": [ true ]}"#], leftOut: [#"{"b":[true],"a":1}"#],
      not: [#"{"a":2}"#, #"{"a":1}"#]),
    SchemaCase(
      #"""
      {"title":"t","description":"d","default":1,"examples":[1],"$comment":"c",
      "deprecated":true,"readOnly":true,"writeOnly":false,"$schema":
      "https://json-schema.org/draft/2020-12/schema","x-order":1,"type":"null"}
      """#,
      ["null"], not: ["1"]),
  ]
}
