"""What models write, and what the page must make of it."""

# All that an answer may consist of.
ELEMENTS = set("""A ARTICLE BLOCKQUOTE BR BUTTON CODE DEL DETAILS DIV EM H2 H3 H4 H5 H6 HR LI OL P
PRE PROGRESS SPAN STRONG SUMMARY TABLE TBODY TD TH THEAD TR UL""".split())

HOSTILE = r"""<img src=x onerror="alert(1)"> <script>alert(2)</script> <svg/onload=alert(3)>
<iframe src="javascript:alert(4)"></iframe> <style>*{display:none}</style> <b>bold?</b>

[a](javascript:alert(5)) [b](JaVaScRiPt:alert(6)) [c](data:text/html,<script>alert(7)</script>)
[d](vbscript:x) [e](//example.org) [f](/local) [g](java&#115;cript:alert(8)) <javascript:alert(9)>
[h](https://example.org/"onmouseover="alert(10)) [i](https://example.org/'><img/src=x>)
![<img src=x onerror=alert(11)>](https://example.org/x.png) ![j](data:image/svg+xml,<svg/>)
[<img src=x onerror=alert(12)>](https://example.org/y) <https://example.org/<img>

# <img src=x onerror=alert(13)>

- <script>alert(14)</script>
  1. <img src=x onerror=alert(15)>

> <img src=x onerror=alert(16)>

| <img src=x onerror=alert(17)> | b |
|---|---|
| <script>alert(18)</script> | `<img src=x onerror=alert(19)>` |

```"><img src=x onerror=alert(20)>
</code></pre><script>alert(21)</script>
```

<!-- <a href="javascript:alert(22)">x</a> --> &lt;img src=x onerror=alert(23)&gt; <br onclick=x>
**<img src=x onerror=alert(24)>** _<script>alert(25)</script>_ ~~<svg onload=alert(26)>~~
"""

# Markdown, and the nodes that it must become. Written by hand from CommonMark's and GitHub's rules.
MARKDOWN = [
    ("plain", "a", "<p>a</p>"),
    ("line breaks", "a\nb\n\nc", "<p>a<br>b</p><p>c</p>"),
    ("bold and italics", "**a** *b* __c__ _d_ ***e***",
     "<p><strong>a</strong> <em>b</em> <strong>c</strong> <em>d</em> "
     "<em><strong>e</strong></em></p>"),
    ("nested emphasis", "**a *b* c** *d **e** f*",
     "<p><strong>a <em>b</em> c</strong> <em>d <strong>e</strong> f</em></p>"),
    ("marks that are no emphasis", "2 * 3 * 4, a_b_c, ** a**, *",
     "<p>2 * 3 * 4, a_b_c, ** a**, *</p>"),
    ("within words", "un*frigging*able", "<p>un<em>frigging</em>able</p>"),
    ("struck out", "~~a~~ ~b~ ~~~~", "<p><del>a</del> ~b~ ~~~~</p>"),
    ("unclosed", "**a *b", "<p>**a *b</p>"),
    ("escapes", r"\*a\* \_b\_ \`c\` \d", r"<p>*a* _b_ `c` \d</p>"),
    ("code", "`a*b*` ``c`d`` ` e ` `",
     "<p><code>a*b*</code> <code>c`d</code> <code>e</code> `</p>"),
    ("code binds tighter", "*a `b* c`", "<p>*a <code>b* c</code></p>"),
    ("headings", "# a\n###### b\n####### c\n#d", "<h3>a</h3><h6>b</h6><p>####### c<br>#d</p>"),
    ("rules", "---\n***\n_ _ _\n--", "<hr><hr><hr><p>--</p>"),
    ("list", "- a\n- b\n\n  c\n* d", "<ul><li><p>a</p></li><li><p>b</p><p>c</p></li>"
     "<li><p>d</p></li></ul>"),
    ("ordered list", "3. a\n4) b", '<ol start="3"><li><p>a</p></li><li><p>b</p></li></ol>'),
    ("nested lists", "1. a\n   - b\n     - c\n2. d",
     '<ol start="1"><li><p>a</p><ul><li><p>b</p><ul><li><p>c</p></li></ul></li></ul></li>'
     "<li><p>d</p></li></ol>"),
    ("lists change kind", "- a\n1. b",
     '<ul><li><p>a</p></li></ul><ol start="1"><li><p>b</p></li></ol>'),
    ("a year is no list", "in\n1984. b", "<p>in<br>1984. b</p>"),
    ("text after a list", "- a\n\nb", "<ul><li><p>a</p></li></ul><p>b</p>"),
    ("quote", "> a\n> - b\n\nc",
     "<blockquote><p>a</p><ul><li><p>b</p></li></ul></blockquote><p>c</p>"),
    ("link", "[a *b*](https://x.org/c_(d))",
     '<p><a href="https://x.org/c_(d)">a <em>b</em></a></p>'),
    ("bare link", "(see https://x.org/a_b_c, or http://y.org/z.)",
     '<p>(see <a href="https://x.org/a_b_c">https://x.org/a_b_c</a>, or '
     '<a href="http://y.org/z">http://y.org/z</a>.)</p>'),
    ("pointed link", "<https://x.org/?a=1&b=2>",
     '<p><a href="https://x.org/?a=1&amp;b=2">https://x.org/?a=1&amp;b=2</a></p>'),
    ("link in bold", "**https://x.org/a**",
     '<p><strong><a href="https://x.org/a">https://x.org/a</a></strong></p>'),
    ("a picture is a link", "![a](https://x.org/b.png)",
     '<p><a href="https://x.org/b.png">a</a></p>'),
    ("other schemes are text", "[a](ftp://x.org) [b](mailto:c@d) [e](javascript:f)",
     "<p>[a](ftp://x.org) [b](mailto:c@d) [e](javascript:f)</p>"),
    ("table", "a | b | c\n:--|:-:|--:\n1 | 2\nx", '<div><table><thead><tr><th class="left">a</th>'
     '<th class="center">b</th><th class="right">c</th></tr></thead><tbody><tr><td class="left">1'
     '</td><td class="center">2</td><td class="right"></td></tr></tbody></table></div><p>x</p>'),
    ("bars in cells", "|a|\n|-|\n|b\\|c|\n|`d`|", '<div><table><thead><tr><th class="left">a</th>'
     '</tr></thead><tbody><tr><td class="left">b|c</td></tr><tr><td class="left"><code>d</code>'
     '</td></tr></tbody></table></div>'),
    ("no table", "a | b\n--", "<p>a | b<br>--</p>"),
    ("entities are text", "&lt; &amp; <b>", "<p>&amp;lt; &amp;amp; &lt;b&gt;</p>"),
]


# Code, and the language and text of each block that it must become.
CODE = [
    ("fenced", "```c\nint a;\n\n  b\n```\nd", [["c", "int a;\n\n  b"]]),
    ("tildes", "~~~\n```\n~~~~", [["text", "```"]]),
    ("unclosed", "```\na", [["text", "a"]]),
    ("tabs", "```make\nall:\n\tcc\n```", [["make", "all:\n\tcc"]]),
    ("in a list", "1. a\n   ```\n   b\n\n     c\n   ```\n2. d", [["text", "b\n\n  c"]]),
    ("less indented than its list", "- a\n  ```\nb\n- c\n  ```", [["text", "b\n- c"]]),
    ("empty", "```\n```", [["text", ""]]),
]


# Texts that take quadratic time or deep nesting where a renderer isn't careful.
LONG = {
    "stars": "*" * 100_000, "star words": "*a " * 40_000, "strong openers": "**a " * 30_000,
    "closers": "a* " * 40_000, "nested emphasis": "*a " * 5_000 + "a* " * 5_000,
    "mixed marks": "*_**__~~a " * 10_000, "ticks": "".join("`" * n + "a" for n in range(1, 400)),
    "many ticks": "`a``" * 30_000, "brackets": "[" * 100_000, "links": "[a](" * 30_000,
    "parentheses": "[a](((((" * 10_000, "quotes": ">" * 20_000, "deep lists": "- " * 20_000,
    "indented lists": "\n".join(" " * (2 * n) + "- a" for n in range(300)),
    "bars": "|" * 100_000 + "\n" + "|-" * 50_000, "table rows": "a|b\n-|-\n" + "c|d\n" * 5_000,
    "padded code": "` " + "a" * 100_000 + "`", "spaces": "#" + " " * 100_000 + "a",
    "blank lines": "- a\n" + "\n" * 50_000 + "b",
    "addresses": "https://" + "a(" * 20_000, "tags": "<" * 100_000,
    "backslashes": "\\" * 100_000, "fences": "```\n" * 20_001, "rules": "- " * 50_000 + "a",
}
