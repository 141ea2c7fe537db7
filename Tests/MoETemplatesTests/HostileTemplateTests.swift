import Foundation
import MoECore
import MoETemplates
import Testing

/// A template that wants too much ends in an error, soon and without harm.
@Suite struct HostileTemplateTests {
  /// Each needs one of the limits.
  private static let endless: [(name: String, template: String)] = [
    (
      "nested loops",
      """
      {% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}\
      {% endfor %}{% endfor %}{% endfor %}
      """
    ),
    ("a range", "{{ range(100001) | length }}"),
    ("a large range", "{{ range(9223372036854775807) }}"),
    ("repeated text", "{{ 'abc' * 9223372036854775807 }}"),
    ("repeated list", "{{ [1] * 1000000000 }}"),
    (
      "doubled text",
      "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}"
    ),
    (
      "doubled list",
      "{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}"
    ),
    ("a list in itself", "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}"),
    ("a list in itself as JSON", "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}"),
    (
      "a list in itself compared",
      """
      {% set l = [] %}{% set _ = l.append(l) %}{% set k = [] %}{% set _ = k.append(k) %}\
      {{ l == k }}
      """
    ),
    (
      "shared lists",
      "{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}"
        + "{{ n.l }}"
    ),
    (
      "shared lists compared",
      """
      {% set n = namespace(l=[1], k=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}\
      {% set n.k = [n.k, n.k] %}{% endfor %}{{ n.l == n.k }}
      """
    ),
    (
      "deep lists",
      "{% set n = namespace(l=[]) %}{% for i in range(99999) %}{% set n.l = [n.l] %}{% endfor %}"
    ),
    (
      "deep dicts",
      """
      {% set n = namespace(l={}) %}{% for i in range(99999) %}{% set n.l = {'a': n.l} %}\
      {% endfor %}
      """
    ),
    (
      "deep loops",
      """
      {% set n = namespace(l=1) %}{% for i in range(99999) %}{% for x in [n.l] %}\
      {% set n.l = loop %}{% endfor %}{% endfor %}
      """
    ),
    ("a macro in itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
    (
      "two macros",
      """
      {% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() ~ a() }}{% endmacro %}{{ a() }}
      """
    ),
    (
      "a tree of macros",
      """
      {% macro a(n) %}{% if n %}{{ a(n - 1) }}{{ a(n - 1) }}{% endif %}{% endmacro %}{{ a(16) }}\
      {% for i in range(9999) %}{{ a(12) }}{% endfor %}
      """
    ),
    (
      "a caller in itself",
      """
      {% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}
      """
    ),
    ("output", "{% for i in range(99999) %}" + String(repeating: "x", count: 999) + "{% endfor %}"),
    ("replaced text", "{{ ('a' * 99999).replace('a', 'b' * 99999) }}"),
    ("joined text", "{{ ('a' * 99999) | list | join('b' * 99999) }}"),
    ("indented text", "{{ ('a\n' * 99999) | indent(99999) }}"),
    ("wide indents", "{{ 'a' | indent(9223372036854775807, true) }}"),
    ("wide JSON", "{{ [1] | tojson(indent=9223372036854775807) }}"),
    ("centred text", "{{ 'a' | center(9223372036854775807) }}"),
    ("a large power", "{{ 10 ** 100 }}"),
    ("a larger power", "{{ 2 ** 9223372036854775807 }}"),
    ("a large sum", "{{ 9223372036854775807 + 1 }}"),
    ("a large product", "{{ 9223372036854775807 * 2 }}"),
    ("the smallest integer's opposite", "{{ -(-9223372036854775807 - 1) }}"),
    ("the smallest integer divided", "{{ (-9223372036854775807 - 1) // -1 }}"),
    ("the smallest integer's size", "{{ (-9223372036854775807 - 1) | abs }}"),
    ("a batch", "{{ [1] | batch(9223372036854775807, 0) }}"),
    (
      "large operands",
      "{% set s = 'x' * 4000000 %}{% set d = {} %}{% for i in range(99999) %}"
        + "{% if s == 1 or s is none or d[s] or s in d or 'a'.split(s) == s or not s %}"
        + "{% endif %}{% endfor %}"
    ),
    (
      "large lists",
      "{% set l = [1] * 900000 %}{% for i in range(99999) %}{% for x in l %}{% break %}"
        + "{% endfor %}{% if l | sum == l | join | length %}{% endif %}{% endfor %}"
    ),
    (
      "many names",
      "{% macro m(" + (0..<20_000).map { "a\($0)" }.joined(separator: ",") + ") %}{% endmacro %}"
        + "{% for i in range(99999) %}{{ m() }}{% endfor %}"
    ),
    ("a long name", "{{ " + String(repeating: "a", count: 999) + " }}"),
    ("a large literal", "{{ 99999999999999999999 }}"),
  ]

  /// Threads other than the first have 512 KiB of stack on some systems.
  private func withSmallStack(_ body: @escaping @Sendable () -> Void) {
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      body()
      done.signal()
    }
    thread.stackSize = 512 << 10
    thread.start()
    done.wait()
  }

  @Test(arguments: endless.map(\.name))
  func endsInAnError(_ name: String) throws {
    let template = try #require(Self.endless.first { $0.name == name }).template
    let clock = ContinuousClock()
    let duration = clock.measure {
      withSmallStack {
        let error = #expect(throws: TemplateError.self) { try rendered(template) }
        let reason = error?.reason
        #expect(reason == .limit || reason == .syntax, "\(String(describing: error))")
      }
    }
    #expect(duration < .seconds(30))
  }

  /// Texts that are nested as deep as is allowed, or deeper, in all ways.
  private static let nestings: [(name: String, before: String, middle: String, after: String)] = [
    ("parentheses", "(", "1", ")"), ("lists", "[", "1", "]"), ("dicts", "{1:", "1", "}"),
    ("signs", "-", "1", ""), ("negations", "not ", "1", ""), ("filters", "", "1", "|string"),
    ("attributes", "", "d", ".x"), ("items", "", "d", "[0]"), ("calls", "f(", "1", ")"),
    ("indices", "d[", "1", "]"), ("sums", "1+", "1", ""), ("powers", "1**", "1", ""),
    ("conditions", "1 if 1 else ", "1", ""), ("left conditions", "1 if ", "1", ""),
    ("ors", "0 or ", "1", ""), ("comparisons", "1 == ", "1", ""), ("tests", "1 is eq ", "1", ""),
    ("mixed", "-(not [{1:d[(1 + 2 *", "1", ")]}])"),
    ("right products", "1 or 1 and 1 < 1 + 1 ~ 1 * 1 ** (", "1", ")"),
  ]

  @Test(arguments: nestings.map(\.name), [8, 20, 40, 80, 150, 1000, 50_000])
  func deepExpressionsEnd(_ name: String, _ depth: Int) throws {
    let nesting = try #require(Self.nestings.first { $0.name == name })
    let template =
      "{{ " + String(repeating: nesting.before, count: depth) + nesting.middle
      + String(repeating: nesting.after, count: depth) + " }}"
    withSmallStack {
      do {
        _ = try rendered(template)
      } catch {
        #expect(error is TemplateError)
      }
    }
  }

  @Test(
    arguments: [
      ("{% if 1 %}", "{% endif %}"), ("{% for i in [1] %}", "{% endfor %}"),
      ("{% macro m() %}", "{% endmacro %}{{ m() }}"), ("{% with a = 1 %}", "{% endwith %}"),
      ("{% set a %}", "{% endset %}{{ a }}"), ("{% filter upper %}", "{% endfilter %}"),
      ("{% generation %}", "{% endgeneration %}"), ("{% if 0 %}{% else %}", "{% endif %}"),
      ("{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}", "{% endcall %}"),
    ], [10, 25, 50, 100, 5000])
  func deepStatementsEnd(_ tag: (before: String, after: String), _ depth: Int) throws {
    let template =
      String(repeating: tag.before, count: depth) + "x" + String(repeating: tag.after, count: depth)
    withSmallStack {
      do {
        let text = try rendered(template)
        #expect(text.lowercased() == "x")
      } catch {
        #expect((error as? TemplateError)?.reason == .limit)
      }
    }
  }

  @Test func recursesDeepEnoughForToolArguments() throws {
    let template = """
      {% macro show(v) %}{% if v is mapping %}{% for k, w in v.items() %}{{ k }}:{{ show(w) }}\
      {% endfor %}{% else %}{{ v }}{% endif %}{% endmacro %}{{ show(x) }}
      """
    let depth = 24
    let json =
      String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
    let text = try rendered(template, ["x": .untrusted(try JSON(text: json))])
    #expect(text == String(repeating: "a:", count: depth) + "1")
  }

  @Test func deepChangedListsAreFreedWithoutRecursion() {
    withSmallStack {
      // Each list is changed after it was put into another, which hides the depth.
      let template = """
        {% set n = namespace(last=[]) %}{% for i in range(50000) %}{% set l = [] %}\
        {% set _ = n.last.append(l) %}{% set n.last = l %}{% endfor %}done
        """
      #expect(throws: Never.self) { try rendered(template) }
    }
  }

  @Test func deepJSONEnds() {
    for depth in [10, 64, 65, 100_000] {
      for (before, after) in [("[", "]"), (#"{"a":"#, "}")] {
        let text =
          String(repeating: before, count: depth) + "1" + String(repeating: after, count: depth)
        withSmallStack {
          let value = try? JSON(text: text)
          #expect((value != nil) == (depth < 64))
        }
      }
    }
    var value = JSON.null
    for _ in 0..<100 { value = .array([value]) }
    let deep = value
    #expect(throws: TemplateError.self) { try rendered("{{ x }}", ["x": .untrusted(deep)]) }
  }

  @Test func longConversationsFit() throws {
    let template = """
      {% set n = namespace(s='') %}{% for m in messages %}{{ m.content | trim | upper }}\
      {% if loop.index < 100 %}{% set n.s = n.s ~ m.content %}{% endif %}\
      {% for o in messages[loop.index:] %}{% if o.role == 'x' %}y{% endif %}{% endfor %}\
      {% endfor %}
      """
    let messages = (0..<400).map { _ in
      ChatMessage(role: "user", text: String(repeating: "long ", count: 400))
    }
    let segments = try ChatTemplate(source: template).render(
      messages: messages, addsGenerationPrompt: false)
    #expect(segments.map(\.string).joined().utf8.count == 400 * 1999)
  }
}
