/// One rule: a name for messages, and what a file does against it.
struct HouseRule: Sendable {
  let name: String
  /// Lines, counted from 1 (0 for the file as a whole), with what is wrong there.
  let problems: @Sendable (SourceFile) -> [(line: Int, message: String)]
}

extension HouseRule {
  static let all: [HouseRule] = [
    HouseRule(name: "lines fit 100 columns and end cleanly") { file in
      var problems = file.lineProblems { line in
        if line.count > 100 { return "\(line.count) columns" }
        if line.hasSuffix(" ") { return "blank at the end" }
        return line.contains("\t") ? "tab" : nil
      }
      if !file.text.hasSuffix("\n") || file.text.hasSuffix("\n\n") {
        problems.append((0, "does not end in one line break"))
      }
      return problems
    },
    HouseRule(name: "functions fit 70 lines") { file in
      functionLengths(of: file).filter { $0.lineCount > 70 }.map {
        ($0.line, "\($0.lineCount) lines")
      }
    },
    HouseRule(name: "files fit 500 lines, C 800") { file in
      let count = file.lines.count - 1
      return count > (file.isC ? 800 : 500) ? [(0, "\(count) lines")] : []
    },
    HouseRule(name: "nothing is left for later") { file in
      // In two parts, so that the rule does not find itself.
      let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
      return file.lineProblems { line in
        words.first { line.hasWord($0) }.map { "'\($0)'" }
      }
    },
    HouseRule(name: "sources never trap on what they read") { file in
      guard file.isSwift && !file.isTest else { return [] }
      return file.codeProblems { line in
        for word in ["try!", "as!", "fatalError("] where line.contains(word) { return "'\(word)'" }
        // Expressions are slow, and few lines have the character.
        guard line.utf8.contains(UInt8(ascii: "!")) else { return nil }
        return line.contains(/[\w)\]]!(?!=)/) ? "forced unwrapping" : nil
      }
    },
    HouseRule(name: "no path of one machine") { file in
      let folders = ["home", "work", "root", "Users"].joined(separator: "|")
      guard let path = try? Regex("(^|[^\\w.~)*])/(\(folders))/") else {
        return [(0, "the rule's pattern is broken")]
      }
      return file.lineProblems { line in
        line.utf8.contains(UInt8(ascii: "/")) && line.contains(path) ? "absolute path" : nil
      }
    },
    HouseRule(name: "tests use Swift Testing and the modules' own interface") { file in
      guard file.isSwift && file.isTest else { return [] }
      return file.codeProblems { line in
        ["import XCTest", "@testable"].first { line.contains($0) }
      }
    },
    HouseRule(name: "registry entries say what they are") { file in
      guard !file.isTest && file.path.hasSuffix("Registry.swift") else { return [] }
      return file.lineProblems { line in
        guard let match = line.firstMatch(of: /summary: "([^"]*)"/) else { return nil }
        return match.1.hasSuffix(".") && match.1.count <= 80 ? nil : "not one short sentence"
      }
    },
    HouseRule(name: "public types have a summary") { file in
      guard file.isSwift && !file.isTest else { return [] }
      let type = /^(@\w+ )*public (final |indirect )*(struct|enum|class|protocol|actor)\s/
      return file.lines.indices.compactMap { index in
        let line = file.codeLines[index]
        guard line.contains("public"), line.contains(type) else { return nil }
        let above = file.lines[..<index].last { !$0.hasPrefix("@") } ?? ""
        return above.hasPrefix("///") ? nil : (index + 1, "no documentation")
      }
    },
    HouseRule(name: "the size of every on-disk block is asserted") { file in
      guard file.isC, file.path.contains("/quant/") else { return [] }
      return file.codeProblems { line in
        guard let match = line.firstMatch(of: /^\} *((\w+_)?block(_\w+)?_t|(\w+_)?block);/)
        else { return nil }
        let assertion = "_Static_assert(sizeof(\(match.1))"
        return file.code.contains(assertion) ? nil : "no \(assertion) == ...)"
      }
    },
  ]
}

extension SourceFile {
  fileprivate func lineProblems(
    _ problem: (Substring) -> String?
  ) -> [(line: Int, message: String)] {
    lines.enumerated().compactMap { index, line in problem(line).map { (index + 1, $0) } }
  }

  fileprivate func codeProblems(
    _ problem: (Substring) -> String?
  ) -> [(line: Int, message: String)] {
    codeLines.enumerated().compactMap { index, line in problem(line).map { (index + 1, $0) } }
  }
}

extension Substring {
  /// Whether the word stands in the line with no letter or digit at either end.
  fileprivate func hasWord(_ word: String) -> Bool {
    ranges(of: word).contains { range in
      let before = self[..<range.lowerBound].last
      let after = self[range.upperBound...].first
      return !(before?.isLetter ?? false) && !(after?.isLetter ?? false)
        && !(before?.isNumber ?? false) && !(after?.isNumber ?? false)
    }
  }
}
