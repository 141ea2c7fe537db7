import Foundation
import MoECore
import MoETestSupport
import Testing

/// The library from C, as `make install` leaves it.
@Suite(Tool.needed("cc", "make", "pkg-config"), .installsLibrary) struct InstalledLibraryTests {
  private static let model = TrainedModel.path
  private static let start = "Once upon a time"

  private func installed() throws -> InstalledLibrary {
    try #require(InstalledLibrary.current)
  }

  private func texts(_ arguments: String...) throws -> String {
    let library = try installed()
    return try library.succeed([library.program("texts")] + arguments)
  }

  private func moeRun(_ arguments: String...) throws -> String {
    let library = try installed()
    return try library.succeed([library.moeRun] + arguments)
  }

  private func members(_ text: String) throws -> [String: JSON] {
    guard case .object(let members) = try JSON(text: text) else { throw Mismatch(text: text) }
    return Dictionary(members.map { ($0.name, $0.value) }) { $1 }
  }

  struct Mismatch: Error {
    let text: String
  }

  @Test(arguments: ["pull", "push"]) func givesTheTextThatMoeRunGives(_ way: String) throws {
    for seed in ["1", "7"] {
      let expected = try moeRun(
        Self.model, "-p", Self.start, "-n", "48", "--seed", seed, "--no-echo", "-q")
      let text = try texts(way, Self.model, Self.start, seed, "48")
      #expect(text + "\n" == expected)
      #expect(text.count > 48)
    }
  }

  @Test func answersConversationsAsMoeRunDoes() throws {
    let message = #"{"role":"user","content":"Tell me of a dog <|im_end|>"}"#
    let library = try installed()
    let expected = try library.succeed([
      "sh", "-c", #"echo "$1" | "$2" chat "$3" --json --temp 0 -n 24 -q"#, "sh", message,
      library.moeRun, Self.model,
    ])
    let answer = try texts("chat", Self.model, "[\(message)]", "24")
    #expect(try members(expected)["content"] == .string(answer))
    #expect(!answer.isEmpty)
  }

  @Test func keepsATextToItsForm() throws {
    let schema = #"{"type":"object","properties":{"legs":{"type":"integer"}},"required":["legs"]}"#
    let text = try texts("json", Self.model, schema)
    guard case .number(let legs)? = try members(text)["legs"] else { throw Mismatch(text: text) }
    #expect(JSON.isWhole(legs))
  }

  @Test func plansAsMoeRunDoes() throws {
    let expected = try members(
      moeRun("plan", Self.model, "--memory", "1G", "--probe", "none", "--json"))
    let plan = try members(texts("plan", Self.model))
    // What the process itself holds differs, and what is left with it.
    let measured = ["memory", "total_bytes", "smallest_budget_bytes", "oom_score_adj"]
    for (name, value) in expected where !measured.contains(name) {
      #expect(plan[name]?.isSame(as: value) == true, "\(name)")
    }
    #expect(plan["fits"] == .bool(true))
    let loaded = try members(texts("loaded", Self.model))
    #expect(Set(loaded.keys) == Set(plan.keys))
    #expect(loaded["pool_slots"] == plan["pool_slots"])
  }

  @Test func tellsWhatAModelIs() throws {
    let info = try members(texts("info", Self.model))
    #expect(info["model"] == .string(Self.model))
    #expect(info["architecture"] == .string("qwen3moe") || info["architecture"] != nil)
    #expect(info["vocabulary_size"]?.wholeNumber.map { $0 > 256 } == true)
    #expect(info["context_length"]?.wholeNumber.map { $0 > 0 } == true)
  }

  @Test func measuresTextsAndReadsOnlyWhatIsNew() throws {
    let lines = try texts("statistics", Self.model).split(separator: "\n")
    try #require(lines.count == 2)
    let (first, second) = (try members(String(lines[0])), try members(String(lines[1])))
    #expect(first["finish"] == .string("length"))
    #expect(first["generated_tokens"] == .integer(8))
    #expect(first["held_tokens"] == .integer(0))
    let prompt = try #require(first["prompt_tokens"]?.wholeNumber)
    let held = try #require(second["held_tokens"]?.wholeNumber)
    #expect(held >= prompt + 7)
    #expect(first["fits_budget"] == .bool(true))
  }

  @Test func refusesWhatIsWrongInASentence() throws {
    let library = try installed()
    let output = try library.succeed([
      library.program("errors"), Self.model, library.folder.url.path,
    ])
    #expect(output == "no crash, no hang, a sentence for each\n")
  }

  @Test func severalThreadsGetTheirOwnTexts() throws {
    let library = try installed()
    let output = try library.succeed([library.program("threads"), Self.model])
    for line in output.split(separator: "\n").filter({ $0.contains("|") }) {
      let prompt = String(line.prefix { $0 != "|" })
      let alone = try texts("pull", Self.model, prompt, "7", "48")
      #expect((prompt + "|" + alone).hasPrefix(line), "\(output)")
    }
    #expect(output.hasPrefix("Once upon a time|"))
  }

  @Test(Tool.needed("valgrind"), arguments: ["errors", "threads", "example"])
  func leavesNoMemoryAndTouchesNoneThatIsNotIts(_ name: String) throws {
    let library = try installed()
    let last = ["errors": [library.folder.url.path], "example": [Self.start]][name] ?? []
    try library.succeed(
      [
        "valgrind", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite",
        "--fair-sched=yes", "-q",
        "--suppressions=\(InstalledLibrary.fixtures.appending(path: "valgrind.supp").path)",
        library.program(name), Self.model,
      ] + last)
  }

  @Test func theExampleContinuesAText() throws {
    let library = try installed()
    let output = try library.succeed([library.program("example"), Self.model, Self.start])
    let expected = try moeRun(Self.model, "-p", Self.start, "-n", "40", "--temp", "0", "-q")
    #expect(output == expected)
  }

  @Test(Tool.needed("python3")) func pythonContinuesAText() throws {
    let library = try installed()
    let script = InstalledLibrary.fixtures.appending(path: "example.py").path
    let output = try library.succeed([
      "python3", script, library.library, Self.model, Self.start,
    ])
    let expected = try moeRun(Self.model, "-p", Self.start, "-n", "40", "--temp", "0", "-q")
    #expect(output.split(separator: "\n") == expected.split(separator: "\n"))
  }

  @Test(Tool.needed("c++")) func theHeaderIsCAndCPlusPlus() throws {
    let library = try installed()
    for compiler in [["cc", "-std=c11", "-xc"], ["c++", "-std=c++11", "-xc++"]] {
      try library.succeed(
        [
          "sh", "-c",
          #"flags=$(pkg-config --cflags moerun); "#
            + #"echo '#include <moerun.h>' | "$@" $flags -Wall -Wextra -pedantic -Werror "#
            + "-fsyntax-only -", "sh",
        ] + compiler)
    }
  }

  /// Kernels and Swift's runtime are not to be mixed up with those of the program.
  @Test(Tool.needed("nm")) func showsWhatTheHeaderDeclaresAndNothingElse() throws {
    let library = try installed()
    let symbols = try library.succeed(["nm", "-D", "--defined-only", library.library])
    let shown = symbols.split(separator: "\n").map { $0.split(separator: " ") }
      .filter { $0.count == 3 && $0[1].allSatisfy(\.isUppercase) }.map { String($0[2]) }
    let header = try String(
      contentsOf: library.prefix.appending(path: "include/moerun.h"), encoding: .utf8)
    let declared = header.split(separator: "\n").filter { $0.first?.isLowercase == true }
      .compactMap { $0.firstMatch(of: /\b(moe_\w+)\(/).map { String($0.1) } }
    #expect(shown.sorted() == declared.sorted())
    #expect(declared.count == 20)
  }

  @Test(Tool.needed("ldd")) func needsNoSwift() throws {
    let library = try installed()
    for file in [library.library, library.moeRun] {
      let needed = try library.succeed(["ldd", file])
      #expect(needed.contains("liburing"), "\(needed)")
      #expect(!needed.contains("swift") && !needed.contains("Foundation"), "\(needed)")
    }
  }

  @Test func theVersionsAgree() throws {
    let version = try moeRun("--version").split(separator: "\n")
    let ofFile = try installed().succeed(["pkg-config", "--modversion", "moerun"])
    #expect(ofFile.split(separator: "\n") == version)
  }

  /// A package's files are gathered in a folder that stands for the root.
  @Test func installsBelowDESTDIR() throws {
    let library = try installed()
    let root = library.folder.url.appending(path: "root")
    let build = URL(
      fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    ).deletingLastPathComponent().path
    let package = InstalledLibrary.fixtures.appending(path: "../../..").standardizedFileURL.path
    try library.succeed([
      "make", "-C", package, "install", "SWIFT=true", "BUILD=\(build)", "PREFIX=/usr",
      "DESTDIR=\(root.path)",
    ])
    let file = try String(
      contentsOf: root.appending(path: "usr/lib/pkgconfig/moerun.pc"), encoding: .utf8)
    #expect(file.hasPrefix("prefix=/usr\n"))
    #expect(throws: InstalledLibrary.Failure.self) {
      try library.succeed([
        "make", "-C", package, "install", "SWIFT=true", "BUILD=\(build)", "PREFIX=here",
      ])
    }
  }
}
