import MoETemplates

/// A template and what jinja2 3.1.6 makes of it, with transformers' settings, `tojson`,
/// `raise_exception` and `strftime_now` at 2025-01-31 12:00, and with the variables below.
struct JinjaCase: Sendable {
  let template: String
  /// Nil where jinja2 throws.
  let expected: String?

  init(_ template: String, _ expected: String?) {
    self.template = template
    self.expected = expected
  }

  static let variables = #"""
    {"s": "Hello, World", "e": "", "sp": "  a b  c ", "u": "naïve ÉCOLE ß",
    "ml": "one\ntwo\r\n\nthree\n", "q": "it's \"x\"\\\n", "n": 7, "m": -3, "z": 0, "f": 2.5,
    "g": 1e16, "t": true, "o": null, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "el": [],
    "d": {"b": 1, "A": 2, "items": 3, "x y": [1, {"k": "v"}]}, "ed": {},
    "p": [{"name": "Bo", "age": 5, "a": {"b": 1}}, {"name": "al", "age": 3, "a": {"b": 2}},
    {"name": "Cy", "age": 5}], "nest": [[1, 2], [3, [4]]],
    "mix": [1, "a", null, true, 2.0, {"k": []}], "big": 9223372036854775807,
    "html": "<a href=\"x\">&'</a>"}
    """#

  static let groups: [(name: String, cases: [JinjaCase])] = [
    ("precedence", precedence), ("arithmetic", arithmetic), ("slices", slices),
    ("strings", strings), ("containers", containers), ("filters", filters), ("tojson", tojson),
    ("tests", tests), ("statements", statements), ("whitespace", whitespace),
  ]
}
