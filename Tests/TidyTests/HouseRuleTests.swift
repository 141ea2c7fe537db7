import Testing

/// Each rule finds what it is there for, and nothing else.
@Suite struct HouseRuleTests {
  private func problems(_ text: String, path: String = "Sources/MoECore/A.swift") -> [String] {
    let file = SourceFile(path: path, text: text)
    return HouseRule.all.filter { !$0.problems(file).isEmpty }.map(\.name)
  }

  @Test func acceptsAnOrdinaryFile() {
    let text = """
      import MoECore

      /// A thing.
      public struct Thing {
        func act() -> Bool { "as! \\(name ?? "a } try!") //" != "" && !isDone }
      }

      """
    #expect(problems(text) == [])
  }

  @Test(arguments: [
    ("let a = 1 \n", "lines fit 100 columns and end cleanly"),
    ("let a = 1", "lines fit 100 columns and end cleanly"),
    ("// " + String(repeating: "x", count: 98) + "\n", "lines fit 100 columns and end cleanly"),
    (String(repeating: "let a = 1\n", count: 501), "files fit 500 lines, C 800"),
    ("// TO" + "DO: more\n", "nothing is left for later"),
    ("let a = try! b()\n", "sources never trap on what they read"),
    ("let a = b as! C\n", "sources never trap on what they read"),
    ("let a = b!.c\n", "sources never trap on what they read"),
    ("let a = b()!\n", "sources never trap on what they read"),
    ("let a = \"/ho" + "me/x/y\"\n", "no path of one machine"),
    ("public enum A {}\n", "public types have a summary"),
  ])
  func finds(_ text: String, _ rule: String) {
    #expect(problems(text) == [rule])
  }

  @Test func findsLongFunctionsOfBothLanguages() {
    let body = String(repeating: "  a();\n", count: 69)
    let swift = "struct A {\n  func b(\n    c: Int\n  ) {\n\(body)  }\n}\n"
    let c = "static int b(int c,\n             int d) {\n\(body)}\n"
    let fitting = "func b() {\n\(body.dropLast(7))}\n"
    #expect(problems(swift) == ["functions fit 70 lines"])
    #expect(problems(c, path: "Sources/CMoEKernels/a.c") == ["functions fit 70 lines"])
    #expect(problems(fitting) == [])
    let file = SourceFile(path: "a.c", text: c)
    #expect(functionLengths(of: file) == [FunctionLength(line: 1, lineCount: 72)])
  }

  @Test func findsBlocksOfUnassertedSize() {
    let block = "typedef struct {\n  uint8_t a;\n} block;\n"
    let path = "Sources/CMoEKernels/quant/a.c"
    #expect(problems(block, path: path) == ["the size of every on-disk block is asserted"])
    #expect(problems(block + "_Static_assert(sizeof(block) == 1, \"\");\n", path: path) == [])
  }

  @Test func findsEntriesWithoutASentence() {
    let path = "Sources/MoECache/PolicyRegistry.swift"
    #expect(problems("A(name: \"a\", summary: \"Does it.\")\n", path: path) == [])
    let unfinished = problems("A(name: \"a\", summary: \"\")\n", path: path)
    #expect(unfinished == ["registry entries say what they are"])
  }

  @Test func blanksWhatIsNotCode() {
    let text = """
      a /* { /* } */ { */ b // {
      c("}\\"\\(d("}"))}", #"\\"#) '{' \"""
      {
      \"""
      """
    let code = blankingCommentsAndStrings(text)
    #expect(!code.contains { "{}".contains($0) })
    #expect(code.utf8.count == text.utf8.count && code.count { $0 == "\n" } == 3)
    #expect(code.contains("c(") && code.contains("b "))
  }

  @Test(arguments: [
    ("import MoECore", "MoECache", true),
    ("package import MoEKernels", "MoEModel", true),
    ("import Foundation", "MoEFormats", true),
    ("private import CMoEKernelsInterface", "MoEKernels", true),
    ("import MoEStore", "MoECache", false),
    ("import MoERuntime", "MoEModel", false),
    ("import MoECore", "MoENew", false),
    ("package import CMoEKernelsInterface", "MoEKernels", false),
    ("private import CMoERing", "MoEExperts", false),
    ("private import CUring", "MoEStore", false),
  ])
  func judgesImports(_ line: String, _ module: String, _ isAllowed: Bool) {
    #expect((ImportDirection.problem(inLine: line[...], of: module) == nil) == isAllowed)
  }
}
