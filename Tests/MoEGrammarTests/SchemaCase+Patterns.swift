extension SchemaCase {
  static let patterns = [
    SchemaCase(
      "{\"type\":\"string\",\"pattern\":\"^[A-Z]{3}-\\\\d{2,4}$\"}",
      ["\"ABC-12\"", "\"XYZ-1234\""],
      not: ["\"AB-12\"", "\"ABC-1\"", "\"ABC-12345\"", "\"abc-12\""]),
    SchemaCase(
      "{\"type\":\"string\",\"pattern\":\"b\"}", ["\"b\"", "\"abc\"", "\"éb\\n\"", "\"b\\u00e9\""],
      not: ["\"a\"", "\"\"", "\"\\\\\""]),
    SchemaCase(
      "{\"pattern\":\"^a|b$\"}", ["\"a\"", "\"ax\"", "\"xb\"", "\"b\""], not: ["\"x\"", "\"bx\""]),
    SchemaCase("{\"pattern\":\"^(?:a|bc)*$\"}", ["\"\"", "\"abca\""], not: ["\"b\"", "\"abcb\""]),
    SchemaCase("{\"pattern\":\"^(?:a+?)b??$\"}", ["\"a\"", "\"aab\""], not: ["\"b\""]),
    SchemaCase(
      "{\"pattern\":\"^\\\\w+@\\\\w+\\\\.com$\"}", ["\"a_1@b.com\""], leftOut: ["\"é@b.com\""],
      not: ["\"a@bcom\"", "\"@b.com\""]),
    SchemaCase(
      "{\"pattern\":\"^[^\\\\s]+$\"}", ["\"a-é\"", "\"\\\"\""],
      not: ["\"a b\"", "\"\"", "\"\\t\""]),
    SchemaCase(
      "{\"pattern\":\"^\\\\S*\\\\s\\\\S*$\"}", ["\"a b\"", "\"a\\tb\"", "\" \""],
      not: ["\"ab\"", "\"a b c\""]),
    SchemaCase(
      "{\"pattern\":\"^\\\\D$\"}", ["\"a\"", "\"-\""], leftOut: ["\"é\""], not: ["\"1\"", "\"\""]),
    SchemaCase(
      "{\"pattern\":\"^.$\"}", ["\"a\"", "\"é\"", "\"\\\"\"", "\"\\\\\""],
      leftOut: ["\"\u{2028}\"", "\"\\r\"", "\"a\\n\""], not: ["\"\"", "\"ab\"", "\"\\n\""]),
    SchemaCase("{\"pattern\":\"^[\\\\]\\\\-a^]+$\"}", ["\"]-a^\""], not: ["\"b\"", "\"\\\\\""]),
    SchemaCase(
      "{\"pattern\":\"^\\\\u00e9\\\\x41\\\\/\\\\.$\"}", ["\"éA/.\"", "\"\\u00e9A\\/.\""],
      not: ["\"eA/.\"", "\"éA/x\""]),
    SchemaCase(
      "{\"pattern\":\"^[\\\\u4e00-\\\\u9fff]{2}$\"}", ["\"日本\"", "\"\\u65e5\\u672c\""],
      not: ["\"日\"", "\"ab\""]),
    SchemaCase("{\"pattern\":\"^a{2}$\",\"maxLength\":1}", [], not: ["\"aa\"", "\"a\""]),
    SchemaCase(
      "{\"pattern\":\"^[a-z]+$\",\"minLength\":2,\"maxLength\":4}", ["\"ab\"", "\"abcd\""],
      not: ["\"a\"", "\"abcde\"", "\"AB\""]),
    SchemaCase(
      "{\"pattern\":\"^(ab)*$\",\"minLength\":3,\"maxLength\":6}", ["\"abab\"", "\"ababab\""],
      not: ["\"ab\"", "\"abababab\"", "\"\""]),
    SchemaCase(
      "{\"pattern\":\"a\",\"format\":\"date\"}", [], not: ["\"2024-01-01\"", "\"a\""]),
    SchemaCase(
      "{\"allOf\":[{\"pattern\":\"^a\"},{\"pattern\":\"z$\"},{\"maxLength\":3}],"
        + "\"type\":\"string\"}",
      ["\"az\"", "\"abz\"", "\"a\\nz\""], not: ["\"a\"", "\"z\"", "\"abcz\"", "\"bz\""]),
    SchemaCase("{\"pattern\":\"\"}", ["\"\"", "\"anything\""], leftOut: ["1"]),
    SchemaCase("{\"pattern\":\"^$\"}", ["\"\""], not: ["\"a\""]),
    SchemaCase(
      "{\"pattern\":\"^a$\"}", ["\"a\""], leftOut: ["\"a\\n\""], not: ["\"ba\"", "\"aa\""]),
  ]
}
