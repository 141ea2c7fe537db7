extension JinjaCase {
  static let statements = [
    JinjaCase(
      """
      {% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}\
      {{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% end\
      for %}
      """,
      "1032TrueFalse310;2121FalseFalse310;3210FalseTrue310;"),
    JinjaCase(
      "{% for x in l %}{{ loop.previtem }}-{{ x }}-{{ loop.nextitem }};{% endfor %}",
      "-3-1;3-1-2;1-2-;"),
    JinjaCase(
      "{% for x in [1,1,2] %}{{ loop.changed(x) }}{{ loop.cycle('a','b') }};{% endfor %}",
      "Truea;Falseb;Truea;"),
    JinjaCase("{% for x in el %}x{% else %}none{% endfor %}", "none"),
    JinjaCase(
      "{% for x in l if x > 1 %}{{ x }}{{ loop.length }}{% else %}none{% endfor %}",
      "3222"),
    JinjaCase("{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}", "none"),
    JinjaCase(
      "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
      "b=1;A=2;items=3;x y=[1, {'k': 'v'}];"),
    JinjaCase("{% for k in d %}{{ k }};{% endfor %}", "b;A;items;x y;"),
    JinjaCase("{% for c in 'abc' %}{{ c }}-{% endfor %}", "a-b-c-"),
    JinjaCase("{% for a, (b, c) in [(1,(2,3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"),
    JinjaCase("{% for a, b in [(1,2,3)] %}{{ a }}{% endfor %}", nil),
    JinjaCase("{% for x in nope %}x{% else %}e{% endfor %}", "e"),
    JinjaCase("{% for x in n %}{% endfor %}", nil),
    JinjaCase("{% for x in 1,2,3 %}{{ x }}{% endfor %}", "123"),
    JinjaCase("{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "32"),
    JinjaCase("{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}", "3"),
    JinjaCase("{% break %}", nil),
    JinjaCase(
      """
      {% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }}{% en\
      dfor %};{% endfor %}
      """,
      "33;13;23;"),
    JinjaCase(
      "{% set x = 1 %}{% for i in l %}{{ x }}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}",
      "1212121"),
    JinjaCase(
      """
      {% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.\
      x }}
      """,
      "7"),
    JinjaCase("{% if true %}{% set x = 5 %}{% endif %}{{ x }}", "5"),
    JinjaCase("{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12"),
    JinjaCase("{% set x %}a{{ n }}{% endset %}{{ x }}{{ x|length }}", "a72"),
    JinjaCase("{% set x | upper %}abc{% endset %}{{ x }}", "ABC"),
    JinjaCase("{% set d.b = 4 %}", nil),
    JinjaCase("{% set x = 1, 2 %}{{ x }}", "(1, 2)"),
    JinjaCase(
      """
      {% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, c=9) }}{{\
       m(b=5, a=4) }}{{ m() }}
      """,
      "1211294542"),
    JinjaCase("{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", nil),
    JinjaCase("{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}", nil),
    JinjaCase(
      "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, z=3) }}",
      "(1, 2){'z': 3}"),
    JinjaCase("{% macro m() %}{{ varargs|length }}{% endmacro %}{{ m(1,2) }}", "2"),
    JinjaCase(
      """
      {% macro m(x) %}[{{ caller(x) }}]{% endmacro %}{% call(y) m(3) %}{{ y }}{{ n }}{% endcal\
      l %}
      """,
      "[37]"),
    JinjaCase("{% macro m() %}{{ caller is defined }}{{ caller }}{% endmacro %}{{ m() }}", "False"),
    JinjaCase(
      "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
      "4321"),
    JinjaCase("{% macro m() %}{{ y }}{% endmacro %}{% set y = 3 %}{{ m() }}", "3"),
    JinjaCase(
      "{% for i in l %}{% macro m() %}{{ i }}{{ loop.index }}{% endmacro %}{{ m() }}{% endfor %}",
      "311223"),
    JinjaCase(
      "{% macro m() %}x{% endmacro %}{{ m.name }}{{ m() ~ 'y' }}{{ m()|upper }}{{ m() + 'z' }}",
      "mxyXxz"),
    JinjaCase(
      """
      {% set args = [1] %}{% macro m(a,b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1,2]) }}{{ m(**\
      {'a': 3, 'b': 4}) }}
      """,
      "1234"),
    JinjaCase("{% filter upper %}abc{{ s }}{% endfilter %}", "ABCHELLO, WORLD"),
    JinjaCase("{% filter replace('a','b') | upper %}abc{% endfilter %}", "BBC"),
    JinjaCase("{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "12False"),
    JinjaCase("{% with %}{% set q2 = 1 %}{{ q2 }}{% endwith %}{{ q2 is defined }}", "1False"),
    JinjaCase(
      "{% generation %}{% set zz = 1 %}abc{{ zz }}{% endgeneration %}{{ zz is defined }}",
      "abc1False"),
    JinjaCase("{% print 5 %}", "5"),
    JinjaCase("{% if e %}a{% elif n == 7 %}b{% else %}c{% endif %}", "b"),
    JinjaCase("{% if nope %}a{% else %}c{% endif %}", "c"),
    JinjaCase("{% if not nope and l %}a{% endif %}", "a"),
    JinjaCase("{{ raise_exception('no way') }}", nil),
    JinjaCase(
      "{{ strftime_now('%Y-%m-%d %d %B %b %a %A %y %j %H:%M:%S %I %p %-d %%') }}",
      "2025-01-31 31 January Jan Fri Friday 25 031 12:00:00 12 PM 31 %"),
    JinjaCase("{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "3, 1, 2"),
    JinjaCase(
      """
      {% set l2 = [] %}{% set _ = l2.append(1) %}{% set _ = l2.extend([2,3]) %}{% set _ = l2.i\
      nsert(0, 9) %}{{ l2 }}{{ l2.pop() }}{{ l2.pop(0) }}{{ l2 }}
      """,
      "[9, 1, 2, 3]39[1, 2]"),
    JinjaCase(
      """
      {% set dd = {} %}{% set _ = dd.update({'a': 1}) %}{% set _ = dd.update(b=2) %}{{ dd }}{{\
       dd.pop('a') }}{{ dd.setdefault('c', 4) }}{{ dd }}
      """,
      "{'a': 1, 'b': 2}14{'b': 2, 'c': 4}"),
    JinjaCase(
      "{{ loop is defined }}{% for x in l %}{% endfor %}{{ loop is defined }}",
      "FalseFalse"),
    JinjaCase("{% for x in l %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}", "3, 1, 2"),
    JinjaCase("{% for i in range(3) %}{{ ',' if not loop.first }}{{ i }}{% endfor %}", "0,1,2"),
    JinjaCase("{% set x = [] %}{% if x is sequence and not x %}y{% endif %}", "y"),
    JinjaCase("{{ nope.foo.bar }}", nil),
    JinjaCase(
      "{% for m in p %}{{ m['name'] }}{{ m.get('a', {}).get('b') }}{% endfor %}",
      "Bo1al2CyNone"),
    JinjaCase("{% foo %}", nil),
    JinjaCase("{% if %}{% endif %}", nil),
    JinjaCase("{% if true %}", nil),
    JinjaCase("{{ 1", nil),
    JinjaCase("{{ }}", nil),
    JinjaCase("{% for x in l %}{% else %}", nil),
    JinjaCase("{{ 'a }}", nil),
    JinjaCase("{# open", nil),
    JinjaCase("{% raw %}x", nil),
    JinjaCase("{% endif %}", nil),
    JinjaCase("{{ a b }}", nil),
    JinjaCase("{{ (1 }}", nil),
    JinjaCase("{{ 1) }}", nil),
    JinjaCase("{% set 1 = 2 %}", nil),
    JinjaCase("{% set none = 2 %}", nil),
    JinjaCase("{{ 5 | }}", nil),
    JinjaCase("{{ x is }}", nil),
    JinjaCase("{% include 'x' %}", nil),
    JinjaCase("{% macro %}{% endmacro %}", nil),
  ]

  static let whitespace = [
    JinjaCase("a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc"),
    JinjaCase("a  \n  {% if true %}  \n  b\n  {% endif %}\nc", "a  \n  \n  b\nc"),
    JinjaCase("a {%- if true %} b {% endif -%} c", "a b c"),
    JinjaCase("a\n  {{- n -}}\n  b", "a7b"),
    JinjaCase("a\n  {{ n }}\n  b\n", "a\n  7\n  b"),
    JinjaCase("  {% if true %}x{% endif %}", "x"),
    JinjaCase("x  {% if true %}y{% endif %}\n\nz", "x  y\nz"),
    JinjaCase("a {# c #} b", "a  b"),
    JinjaCase("a\n  {# c #}\nb", "a\nb"),
    JinjaCase("a\n  {#- c -#}\n b", "ab"),
    JinjaCase("a {#- c #}\n b", "a b"),
    JinjaCase("{# c #}\n{# d #}\nx", "x"),
    JinjaCase("  {%+ if true %}x{% endif %}", "  x"),
    JinjaCase("{% if true +%}\nx{% endif %}", "\nx"),
    JinjaCase("a\n{%- if true -%}\n\n x \n\n{%- endif -%}\n b", "axb"),
    JinjaCase("{% raw %}{{ x }}{% if %}{% endraw %}", "{{ x }}{% if %}"),
    JinjaCase("{% raw -%}  {{ x }}  {%- endraw %} y", "{{ x }} y"),
    JinjaCase("  {% raw %}\n a {% endraw %}\nb", "\n a b"),
    JinjaCase("a\r\nb\r{{ n }}\r\n", "a\nb\n7"),
    JinjaCase("x\n\n", "x\n"),
    JinjaCase("x\n", "x"),
    JinjaCase("\n", ""),
    JinjaCase("", ""),
    JinjaCase("{{ '}}' }}", "}}"),
    JinjaCase("{{ {'a': {'b': 1}} }}", "{'a': {'b': 1}}"),
    JinjaCase("{{ '{% if %}' }}", "{% if %}"),
    JinjaCase("{{ \"a'b\" }}{{ 'a\"b' }}", "a'ba\"b"),
    JinjaCase("{%if true%}x{%endif%}", "x"),
    JinjaCase("{{n}}", "7"),
    JinjaCase("{{-n-}}", "7"),
    JinjaCase(
      "{% if true %}\n  a\n    {% if true %}\n    b\n    {% endif %}\n{% endif %}\n",
      "  a\n    b\n"),
    JinjaCase("a{% set x = 1 %}\nb", "ab"),
    JinjaCase("a\n{% set x = 1 %}\n\nb", "a\n\nb"),
    JinjaCase("   {{ n }}", "   7"),
    JinjaCase("\t{% if true %}\tx{% endif %}", "\tx"),
    JinjaCase("{% for x in l %}\n{{ x }}\n{% endfor %}", "3\n1\n2\n"),
    JinjaCase("{% for x in l -%}\n  {{ x }}\n{%- endfor %}", "312"),
    JinjaCase("{{ 1 -}}\n\n{{ 2 }}", "12"),
    JinjaCase("{%- set x = 1 %}\n\n{{- x }}", "1"),
    JinjaCase("a{# {{ x }} {% if %} #}b", "ab"),
    JinjaCase("{#-#}x", "x"),
    JinjaCase("{##}x", "x"),
    JinjaCase("{{ 3\n+ 4 }}", "7"),
    JinjaCase("{% set x = 'a\nb' %}{{ x }}", "a\nb"),
    JinjaCase("{ {a} }", "{ {a} }"),
    JinjaCase("{{ '{{' }}", "{{"),
    JinjaCase("{% if 1 %}{% else %}{% endif %}x", "x"),
    JinjaCase("  {{- 1 }}  {%- if 1 %}  2{% endif %}", "1  2"),
  ]
}
