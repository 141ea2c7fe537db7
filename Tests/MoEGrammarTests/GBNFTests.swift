import MoEGrammar
import Testing

/// llama.cpp's notation, as its guide describes it.
@Suite struct GBNFTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var grammar: String
    var accepted: [String]
    var refused: [String]
    var testDescription: String { grammar }
  }

  static let cases = [
    Case(grammar: #"root ::= "a""#, accepted: ["a"], refused: ["", "b", "aa"]),
    Case(grammar: #"root ::= "a" | "b" "c" |"#, accepted: ["a", "bc", ""], refused: ["b", "ab"]),
    Case(grammar: #"root ::= ("a" | "b")* "c"+ "d"?"#, accepted: ["c", "abbaccd"], refused: ["d"]),
    Case(grammar: #"root ::= "ab"{2}"#, accepted: ["abab"], refused: ["ab", "abb", "ababab"]),
    Case(grammar: #"root ::= "a"{2,}"#, accepted: ["aa", "aaaaaa"], refused: ["", "a"]),
    Case(grammar: #"root ::= "a"{1, 3}"#, accepted: ["a", "aaa"], refused: ["", "aaaa"]),
    Case(grammar: #"root ::= "a"{0,2} "b""#, accepted: ["b", "aab"], refused: ["aaab", "a"]),
    Case(grammar: #"root ::= [a-cx]+"#, accepted: ["abcx"], refused: ["d", "-"]),
    Case(grammar: #"root ::= [^a-c\n]"#, accepted: ["d", "é", "^"], refused: ["a", "\n", "dd"]),
    Case(grammar: #"root ::= [a-]"#, accepted: ["a", "-"], refused: ["b"]),
    Case(grammar: #"root ::= [\]\[\\\-]+"#, accepted: ["][\\-"], refused: ["a"]),
    Case(grammar: #"root ::= [ぁ-ゟ]+"#, accepted: ["ひらがな"], refused: ["カ", ""]),
    Case(
      grammar: #"root ::= "\x41\u00e9\U0001F600\t\"\\""#, accepted: ["Aé😀\t\"\\"], refused: ["A"]),
    Case(grammar: "root ::= . .", accepted: ["ab", "é\n", "😀😀"], refused: ["a", "abc"]),
    Case(
      grammar: """
        # a comment
        root ::= item ("," item)* # another
        item ::=
          "x" |
          "y"
        """, accepted: ["x", "x,y"], refused: [",", "x,"]),
    Case(
      grammar: "root ::= (\n  \"a\"\n  # inside\n  \"b\"\n)\r\n\r\nother ::= \"c\"",
      accepted: ["ab"], refused: ["a", "c"]),
    Case(grammar: "root ::= \"a\"\n  | \"b\"\n", accepted: ["a", "b"], refused: ["ab"]),
    Case(
      grammar: #"root ::= "(" root ")" | "x""#, accepted: ["x", "((x))"], refused: ["(x", "x)"]),
    Case(grammar: #"root ::= ("a"?)* "b""#, accepted: ["b", "aab"], refused: ["a"]),
    Case(
      grammar: #"root ::= (e "a"?){3,5} "b"\#ne ::= "" | "c""#, accepted: ["b", "cacb", "aaaaab"],
      refused: ["aaaaaab", "a"]),
    Case(
      grammar: #"root ::= ("a"{2} "b"){1,2}"#, accepted: ["aab", "aabaab"],
      refused: ["ab", "aabaabaab"]),
    Case(
      grammar: #"root ::= [a-z]{1,3} "-" [0-9]{2}"#, accepted: ["a-12", "abc-99"],
      refused: ["-12", "abcd-12", "a-1"]),
    Case(grammar: #"root ::= "a"{0}"#, accepted: [""], refused: ["a"]),
    Case(
      grammar: #"root ::= never | "x"\#nnever ::= "y" never"#, accepted: ["x"],
      refused: ["y", "yx"]),
    // The opening moves of the guide's chess grammar.
    Case(
      grammar: """
        root ::= (
            "1. " move " " move "\\n"
            ([1-9] [0-9]? ". " move " " move "\\n")+
        )
        move ::= (pawn | nonpawn | castle) [+#]?
        nonpawn ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
        pawn ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
        castle ::= "O-O" "-O"?
        """, accepted: ["1. e4 e5\n2. Nf3 Nc6\n3. O-O a6\n"],
      refused: ["1. e4 e5\n", "1. e9 e5\n"]),
  ]

  @Test(arguments: cases) func reads(_ one: Case) throws {
    let compiled = try CompiledGrammar(Grammar(gbnf: one.grammar), vocabulary: byteVocabulary)
    for text in one.accepted { #expect(try compiled.accepts(text), "\(text)") }
    for text in one.refused { #expect(try !compiled.accepts(text), "\(text)") }
  }

  @Test(arguments: [
    (#"rot ::= "a""#, "rule \"root\"", nil),
    ("root ::= a", "\"a\" is used but not defined", 1),
    ("root ::= \"a\n\"", "rest of a literal", 1),
    ("root ::= \"a\"\nroot ::= \"b\"", "defined twice", 2),
    ("root ::= [a-z", "rest of a set", 1),
    ("root ::= [z-a]", "whose end isn't before", 1),
    ("root ::= []", "a character in it", 1),
    ("root ::= (\"a\"", "a ) for this group", 1),
    ("root ::= \"a\")", "the end of its line", 1),
    ("root = \"a\"", "::=", 1),
    ("root ::= \"\\q\"", "\\q", 1),
    ("root ::= \"\\ud800\"", "number of a character", 1),
    ("root ::= \"a\"{3,2}", "not larger", 1),
    ("root ::= \"a\"{,2}", "a count", 1),
    ("root ::= \"a\"{2", "a } after", 1),
    ("root ::= \"a\"{9999999}", "larger than", 1),
    ("\n\nroot ::= <think>", "tokens by name", 3),
    ("root ::= !<[1000]>", "tokens by name", 1),
    ("root ::= \"a\" * * *", "repetitions of one part", 1),
    ("*", "a rule's name", 1),
    ("", "rule \"root\"", nil),
  ])
  func saysWhatIsWrong(_ text: String, _ problem: String, _ line: Int?) {
    let error = #expect(throws: GrammarError.self) { try Grammar(gbnf: text) }
    #expect(error?.description.contains(problem) ?? false, "\(error?.description ?? "")")
    #expect(error?.place == line.map { .line($0) })
  }

  @Test(arguments: [
    "root ::= root \"a\" | \"b\"",
    "root ::= a \"x\"\na ::= b?  c\nb ::= \"b\"\nc ::= a | \"c\"",
    "root ::= \"x\" y\ny ::= (\"\" | z) y | \"q\"\nz ::= \"z\"",
  ])
  func refusesLeftRecursion(_ text: String) throws {
    let grammar = try Grammar(gbnf: text)
    let error = #expect(throws: GrammarError.self) {
      try CompiledGrammar(grammar, vocabulary: byteVocabulary)
    }
    #expect(error?.reason == .unsupported && error?.problem.contains("left recursion") ?? false)
  }

  @Test func refusesWhatNeverEnds() throws {
    let grammar = try Grammar(gbnf: "root ::= \"a\" b\nb ::= \"b\" root")
    let error = #expect(throws: GrammarError.self) {
      try CompiledGrammar(grammar, vocabulary: byteVocabulary)
    }
    #expect(error?.reason == .impossible)
  }
}
