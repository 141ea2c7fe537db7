import MoECore
import MoEGrammar
import Testing

/// A schema, with texts that are valid and written, that are valid and by design not written, and
/// that are not valid. Python's `jsonschema` is asked about all of them.
struct SchemaCase: Sendable, CustomTestStringConvertible {
  var schema: String
  var accepted: [String]
  var leftOut: [String] = []
  var refused: [String] = []

  var testDescription: String { schema }

  init(_ schema: String, _ accepted: [String], leftOut: [String] = [], not refused: [String] = []) {
    self.schema = schema
    self.accepted = accepted
    self.leftOut = leftOut
    self.refused = refused
  }

  static let all = scalars + strings + patterns + objects + arrays + combined

  static let scalars = [
    SchemaCase(
      "true", ["null", "1", "\"a\"", "[]", "{}", "{\"a\": [1, {\"b\": null}]}", "[[[[]]]]"],
      not: ["", "tru", "[1,]", "{\"a\"}", "01", "1.", ".5", "+1", "'a'"]),
    SchemaCase(
      "{}", ["-0", "1e5", "1.5E-7", "-0.0e+10", "1e05"], not: ["1e", "-", "NaN1", "--1"]),
    SchemaCase("{\"type\":\"null\"}", ["null"], not: ["0", "\"null\"", "false"]),
    SchemaCase("{\"type\":\"boolean\"}", ["true", "false"], not: ["1", "null", "\"true\""]),
    SchemaCase("{\"type\":[\"boolean\",\"null\"]}", ["true", "null"], not: ["0", "\"\""]),
    SchemaCase(
      "{\"type\":\"integer\"}", ["0", "-0", "-12", "12345678901234567890123"],
      leftOut: ["1.0", "1e5"], not: ["1.5", "\"1\"", "true", "00"]),
    SchemaCase(
      "{\"type\":\"number\"}",
      ["0", "-0", "-0.0", "1e5", "1E+5", "3.14159", "1e-250", "12345678901234567890.5"],
      leftOut: ["1e300"], not: ["\"1\"", "1.", "-", "1e1.5"]),
    SchemaCase(
      "{\"type\":[\"integer\",\"number\"],\"minimum\":1}", ["1", "1.5", "40"], not: ["0.9", "-1"]),
    SchemaCase(
      "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}", ["1", "9", "10", "99", "100"],
      not: ["0", "101", "-1", "1000", "010"]),
    SchemaCase(
      "{\"type\":\"integer\",\"minimum\":-15,\"exclusiveMaximum\":3}",
      ["-15", "-9", "-0", "0", "2"], not: ["-16", "3", "-20", "-150"]),
    SchemaCase(
      "{\"type\":\"integer\",\"exclusiveMinimum\":-3,\"maximum\":-1}", ["-2", "-1"],
      not: ["-3", "0", "1", "-10"]),
    SchemaCase(
      "{\"type\":\"integer\",\"minimum\":1.5,\"maximum\":3.5}", ["2", "3"], not: ["1", "4"]),
    SchemaCase(
      "{\"type\":\"integer\",\"minimum\":0}", ["0", "7", "123456"], leftOut: ["-0"], not: ["-1"]),
    SchemaCase(
      "{\"type\":\"integer\",\"minimum\":1e3}", ["1000", "99999"], not: ["999", "-1000"]),
    SchemaCase(
      "{\"type\":\"number\",\"minimum\":0}", ["0", "0.0", "1e9", "0.1e-3"], leftOut: ["-0.0"],
      not: ["-0.1", "-1"]),
    SchemaCase(
      "{\"type\":\"number\",\"exclusiveMinimum\":0}", ["0.1", "0.0001", "5", "12.5"],
      leftOut: ["1e2"], not: ["0", "0.0", "-1"]),
    SchemaCase(
      "{\"type\":\"number\",\"minimum\":0.5,\"exclusiveMaximum\":10}",
      ["0.5", "0.50", "1", "9.99", "0.6"], not: ["0.49", "10", "10.0", "0", "0.4999", "99"]),
    SchemaCase(
      "{\"type\":\"number\",\"minimum\":-1.25,\"maximum\":1.25}",
      ["-1.25", "-1", "-0.5", "0", "1.25", "1.250", "-0"], not: ["-1.26", "1.251", "2", "-10"]),
    SchemaCase(
      "{\"type\":\"number\",\"minimum\":90,\"maximum\":110.5}",
      ["90", "90.0", "100", "110.5", "99.9"],
      not: ["89.999", "110.51", "9", "1000", "0.9"]),
    SchemaCase(
      "{\"minimum\":3}", ["3", "4.5"], leftOut: ["\"a\"", "null"], not: ["2"]),
    SchemaCase(
      "{\"enum\":[1,\"a\",null,true,[1,2],{\"b\":1.50}]}",
      ["1", "\"a\"", "null", "true", "[1,2]", "[ 1, 2 ]", "{\"b\":1.50}"],
      leftOut: ["1.0", "{\"b\":1.5}"], not: ["2", "\"b\"", "false", "[2,1]", "{}"]),
    SchemaCase("{\"const\":\"x\\\"y\"}", ["\"x\\\"y\"", "\"x\\u0022y\""], not: ["\"xy\""]),
    SchemaCase("{\"const\":[]}", ["[]", "[ ]"], not: ["{}", "null"]),
    SchemaCase("{\"const\":-0.0}", ["-0.0"], leftOut: ["0", "0e1"], not: ["1"]),
    SchemaCase(
      "{\"enum\":[\"é\",\"日本\",\"a/b\",\"a\\nb\",\"😀\"]}",
      [
        "\"é\"", "\"\\u00e9\"", "\"\\u00E9\"", "\"日本\"", "\"日\\u672c\"", "\"a/b\"", "\"a\\/b\"",
        "\"a\\nb\"", "\"a\\u000Ab\"", "\"😀\"", "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"",
      ],
      leftOut: ["\"\\u0061/b\""],
      not: ["\"e\"", "\"a\nb\"", "\"\\ud83d\"", "\"日\"", "\"\\u65e5\\ud83d\"", "\"e\\u0301\""]),
    SchemaCase(
      "{\"enum\":[1,2,\"3\",4.5],\"type\":\"integer\",\"minimum\":2}", ["2"], not: ["1", "\"3\""]),
  ]

  static let strings = [
    SchemaCase(
      "{\"type\":\"string\"}",
      [
        "\"\"", "\"a\"", "\"é😀\"", "\"\\n\\t\\\\\\\"\\/\\b\\f\\r\"", "\"\\u0061\"",
        "\"\\uD83D\\uDE00\"",
        "\"\\u0000\"", "\"\u{7F}\"", "\"\u{2028}\"",
      ],
      leftOut: ["\"\\ud83d\"", "\"\\ude00\\ud83d\""],
      not: ["a", "\"", "\"a\nb\"", "\"\\x\"", "\"\\u12\"", "\"\t\"", "'a'", "\"a\"b\""]),
    SchemaCase(
      "{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
      ["\"ab\"", "\"abc\"", "\"é😀\"", "\"\\n\\n\\n\"", "\"\\ud83d\\ude00x\"", "\"日本語\""],
      not: ["\"a\"", "\"\"", "\"abcd\"", "\"\\ud83d\\ude00\"", "\"😀\""]),
    SchemaCase("{\"type\":\"string\",\"maxLength\":0}", ["\"\""], not: ["\"a\"", "\"\\n\""]),
    SchemaCase("{\"minLength\":3}", ["\"abc\""], leftOut: ["1", "[]"], not: ["\"ab\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"date\"}",
      ["\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\"", "\"0001-01-01\""],
      not: [
        "\"2023-02-29\"", "\"1900-02-29\"", "\"2024-13-01\"", "\"2024-04-31\"", "\"0000-01-01\"",
        "\"24-01-01\"", "\"2024-1-1\"", "\"2024-00-10\"", "\"2024-02-30\"",
      ]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"time\"}",
      ["\"23:59:59Z\"", "\"00:00:00.123+05:30\"", "\"12:00:00-08:00\""],
      not: ["\"24:00:00Z\"", "\"12:60:00Z\"", "\"12:00\"", "\"12:00:61Z\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"date-time\"}",
      ["\"2024-02-29T12:00:00Z\"", "\"1985-04-12T23:20:50.52Z\"", "\"1996-12-19T16:39:57-08:00\""],
      not: ["\"2024-02-30T12:00:00Z\"", "\"2024-02-29\"", "\"2024-02-29 12:00:00\"", "\"\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"uuid\"}",
      ["\"123e4567-e89b-12d3-a456-426614174000\"", "\"123E4567-E89B-12D3-A456-426614174000\""],
      not: ["\"123e4567e89b12d3a456426614174000\"", "\"123e4567-e89b-12d3-a456-42661417400g\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"email\"}",
      ["\"a@b.de\"", "\"first.last+tag@sub.example.com\""], leftOut: ["\"a@b\"", "\"a b@c.de\""],
      not: ["\"a\"", "\"\"", "\"example.com\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"ipv4\"}", ["\"0.0.0.0\"", "\"192.168.1.255\""],
      not: ["\"256.1.1.1\"", "\"1.2.3\"", "\"01.2.3.4\"", "\"1.2.3.4.5\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"ipv6\"}",
      [
        "\"::\"", "\"::1\"", "\"1::\"", "\"2001:db8::8a2e:370:7334\"", "\"1:2:3:4:5:6:7:8\"",
        "\"1:2:3:4:5:6:7::\"", "\"::2:3:4:5:6:7:8\"",
      ],
      leftOut: ["\"::ffff:1.2.3.4\""],
      not: ["\"1\"", "\":::\"", "\"1:2:3:4:5:6:7:8:9\"", "\"1::2::3\"", "\"12345::\"", "\":1\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"uri\"}",
      [
        "\"https://example.com/a/b?c=d#e\"", "\"mailto:a@b.de\"", "\"urn:isbn:123\"",
        "\"http://localhost:8080\"", "\"https:\\/\\/example.com\"",
      ], leftOut: ["\"a\"", "\"//example.com\"", "\"http://\"", "\"http://a b\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"hostname\"}", ["\"a.b-c.example\"", "\"localhost\""],
      leftOut: ["\"-a.b\"", "\"a..b\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"duration\"}",
      ["\"P1D\"", "\"PT1H30M\"", "\"P3W\"", "\"P1Y2M3DT4H\""],
      leftOut: ["\"P\"", "\"1D\"", "\"PT\""]),
    SchemaCase(
      "{\"type\":\"string\",\"format\":\"colour\"}", ["\"red\"", "\"\""], not: ["1"]),
  ]
}
