extension SchemaCase {
  static let objects = [
    SchemaCase(
      "{\"type\":\"object\"}", ["{}", "{ }", "{\"a\":1,\"b\":[]}", "{\n  \"a\": 1\n}"],
      leftOut: [" {}", "{}\n", "{  }", "{\"a\" :1}", "{\"a\":  1}"],
      not: ["[]", "{\"a\":}", "{,}", "{1:2}"]),
    SchemaCase(
      #"""
      {"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"]}
      """#,
      [
        #"{"a":1}"#, #"{"a":1,"b":"x"}"#, "{\n    \"a\": 1,\n    \"b\": \"x\"\n}",
        "{\n\t\"a\": 1\n}",
      ],
      leftOut: [#"{"b":"x","a":1}"#, #"{"a":1,"c":2}"#, #"{"a":1,"a":2}"#],
      not: ["{}", #"{"b":"x"}"#, #"{"a":"1"}"#, #"{"a":1,}"#]),
    SchemaCase(
      #"""
      {"type":"object","properties":{"a":{},"b":{},"c":{}},"additionalProperties":false}
      """#, ["{}", #"{"a":1}"#, #"{"c":null}"#, #"{"a":[],"c":{}}"#, #"{"a":1,"b":2,"c":3}"#],
      leftOut: [#"{"c":1,"a":1}"#], not: [#"{"d":1}"#, #"{"a":1,"d":2}"#]),
    SchemaCase(
      #"""
      {"type":"object","properties":{"a":{"type":"null"},"ab":{"type":"null"}},
       "additionalProperties":{"type":"integer"}}
      """#,
      [
        #"{"a":null,"abc":1}"#, #"{"x":1,"y":2}"#, #"{"ab":null,"":3}"#, #"{"A":1}"#,
        #"{"é":1,"\n":2}"#,
      ],
      leftOut: [#"{"x":1,"a":null}"#], not: [#"{"a":1}"#, #"{"x":null}"#, #"{"ab":2}"#]),
    SchemaCase(
      #"{"type":"object","additionalProperties":{"type":"boolean"}}"#,
      ["{}", #"{"a":true}"#, #"{"a":true,"b":false}"#], not: [#"{"a":1}"#]),
    SchemaCase(#"{"type":"object","additionalProperties":false}"#, ["{}"], not: [#"{"a":1}"#]),
    SchemaCase(
      #"{"properties":{"q\"x":{"const":1},"é/~":{"const":2},"":{"const":3}},"required":["q\"x"]}"#,
      [#"{"q\"x":1}"#, #"{"q\u0022x":1,"é/~":2,"":3}"#, #"{"q\"x":1,"\u00e9\/~":2}"#],
      leftOut: [#"{"\u0071\"x":1}"#], not: [#"{"qx":1}"#, "{}", #"{"q\"x":2}"#]),
    SchemaCase(
      #"{"required":["x","y"]}"#, [#"{"x":1,"y":null}"#], leftOut: ["1", #"{"y":1,"x":2}"#],
      not: [#"{"x":1}"#, "{}"]),
    SchemaCase(
      #"{"type":"object","properties":{"a":false,"b":{}}}"#, ["{}", #"{"b":1}"#], not: [#"{"a":1}"#]
    ),
    SchemaCase(
      #"{"type":"object","maxProperties":2}"#, ["{}", #"{"a":1,"b":2}"#],
      not: [#"{"a":1,"b":2,"c":3}"#]),
    SchemaCase(
      #"{"type":"object","minProperties":1}"#, [#"{"a":1}"#, #"{"a":1,"b":2}"#],
      not: ["{}", "{ }"]),
    SchemaCase(
      #"""
      {"properties":{"a":{},"b":{},"c":{},"d":{}},"required":["b"],"minProperties":2,
       "maxProperties":3,"additionalProperties":false}
      """#,
      [#"{"a":1,"b":2}"#, #"{"b":1,"d":2}"#, #"{"a":1,"b":2,"c":3}"#, #"{"b":1,"c":2,"d":3}"#],
      not: [#"{"b":1}"#, #"{"a":1,"c":2}"#, #"{"a":1,"b":2,"c":3,"d":4}"#]),
    SchemaCase(
      #"{"properties":{"a":{}},"minProperties":2,"additionalProperties":{"type":"null"}}"#,
      [#"{"a":1,"b":null}"#], leftOut: [#"{"b":null,"c":null}"#],
      not: [#"{"a":1}"#, #"{"b":null}"#]),
    SchemaCase(
      #"""
      {"type":"object","patternProperties":{"^x-":{"type":"integer"}},
      "additionalProperties":false}
      """#,
      ["{}", #"{"x-a":1}"#, #"{"x-":1,"x-b":2}"#], not: [#"{"y":1}"#, #"{"x-a":"1"}"#]),
    SchemaCase(
      #"""
      {"properties":{"ab":{"type":"integer"}},"patternProperties":{"^a":{"minimum":5},"b$":{
      "maximum":9}},
       "additionalProperties":{"type":"string"}}
      """#,
      [#"{"ab":7,"ax":5,"xb":9,"c":"s"}"#, #"{"aab":6}"#, #"{"ab":5}"#],
      not: [#"{"ab":4}"#, #"{"ab":10}"#, #"{"ax":4}"#, #"{"aab":10}"#, #"{"c":1}"#]),
    SchemaCase(
      #"""
      {"type":"object","propertyNames":{"pattern":"^[a-z]+$"},"additionalProperties":{
      "type":"integer"}}
      """#,
      ["{}", #"{"ab":1}"#], not: [#"{"A":1}"#, #"{"":1}"#, #"{"a1":1}"#]),
    SchemaCase(
      #"""
      {"type":"object","propertyNames":{"enum":["red","blue"]},"additionalProperties":{
      "type":"integer"}}
      """#,
      [#"{"red":1,"blue":2}"#, #"{"blue":2}"#], not: [#"{"green":1}"#]),
    SchemaCase(
      #"{"type":"object","propertyNames":{"maxLength":2},"properties":{"abc":{},"ab":{}}}"#,
      ["{}", #"{"ab":1}"#], not: [#"{"abc":1}"#]),
  ]

  static let arrays = [
    SchemaCase(
      #"{"type":"array"}"#, ["[]", "[ ]", "[1, \"a\", []]", "[\n  1,\n  2\n]"],
      leftOut: ["[1 ,2]", "[  1]"], not: ["[1,]", "[,]", "{}", "[1 2]"]),
    SchemaCase(
      #"{"type":"array","items":{"type":"integer"}}"#, ["[]", "[1,2,3]"], not: ["[1,\"2\"]"]),
    SchemaCase(
      #"{"items":{"type":"integer"},"minItems":2,"maxItems":3}"#, ["[1,2]", "[1,2,3]"],
      leftOut: ["\"x\""], not: ["[]", "[1]", "[1,2,3,4]"]),
    SchemaCase(#"{"type":"array","maxItems":0}"#, ["[]"], not: ["[1]"]),
    SchemaCase(#"{"type":"array","items":false}"#, ["[]"], not: ["[1]"]),
    SchemaCase(
      #"""
      {"type":"array","items":{"type":"array","items":{"type":"null"},"maxItems":2},
      "maxItems":2}
      """#,
      ["[]", "[[],[null,null]]"], not: ["[[null,null,null]]", "[[],[],[]]"]),
    SchemaCase(
      #"{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}]}"#,
      ["[]", "[\"a\"]", "[\"a\", 1]"], leftOut: ["[\"a\",1,null]"], not: ["[1]", "[\"a\",\"b\"]"]),
    SchemaCase(
      #"{"prefixItems":[{"const":1},{"const":2}],"items":{"const":3},"minItems":1,"maxItems":4}"#,
      ["[1]", "[1,2]", "[1,2,3]", "[1,2,3,3]"],
      not: ["[]", "[2]", "[1,3]", "[1,2,3,3,3]", "[1,2,2]"]),
    SchemaCase(
      #"{"prefixItems":[{"const":1},{"const":2},{"const":3}],"items":false,"minItems":2}"#,
      ["[1,2]", "[1,2,3]"], not: ["[1]", "[1,2,3,4]"]),
    SchemaCase(
      #"{"type":"array","prefixItems":[{"const":1}],"minItems":3}"#,
      ["[1,null,\"x\"]", "[1,2,3,4]"],
      not: ["[1]", "[1,2]", "[2,2,2]"]),
    SchemaCase(
      #"""
      {"allOf":[{"items":{"minimum":1}},{"items":{"maximum":2}},{"prefixItems":[{
      "const":2}],"items":true}],"type":"array"}
      """#,
      ["[]", "[2]", "[2,1.5]"], not: ["[1]", "[2,3]", "[2,0]"]),
    SchemaCase(
      #"{"type":"array","uniqueItems":false,"items":{"const":1}}"#, ["[1,1]"], not: ["[2]"]),
  ]
}
