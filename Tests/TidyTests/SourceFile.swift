import Foundation

/// One file of the package, as the house rules look at it.
struct SourceFile: Sendable {
  /// From the package's root: `Sources/MoECore/ExpertID.swift`.
  let path: String
  let text: String
  /// The text with comments and the contents of string literals blanked, line for line.
  let code: String
  let lines, codeLines: [Substring]

  init(path: String, text: String) {
    self.path = path
    self.text = text
    code = path.hasSuffix(".swift") || path.isCSource ? blankingCommentsAndStrings(text) : text
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    codeLines = code.split(separator: "\n", omittingEmptySubsequences: false)
  }

  var isSwift: Bool { path.hasSuffix(".swift") }
  var isC: Bool { path.isCSource }
  var isTest: Bool { path.hasPrefix("Tests/") }
  /// The target's folder: `MoECore` for the path above.
  var module: String {
    let parts = path.split(separator: "/")
    return parts.count > 1 ? String(parts[1]) : ""
  }

  static let packageDirectory = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Every Swift and C file below `Sources` and `Tests`, in a fixed order.
  static let all: [SourceFile] = ["Sources", "Tests"].flatMap { folder in
    let root = packageDirectory.appending(path: folder)
    let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String }
    return (paths ?? []).sorted().filter { path in
      (path.hasSuffix(".swift") || path.isCSource) && !path.contains(".build/")
    }.compactMap { path in
      (try? String(contentsOf: root.appending(path: path), encoding: .utf8)).map {
        SourceFile(path: folder + "/" + path, text: $0)
      }
    }
  }
}

extension String {
  fileprivate var isCSource: Bool { hasSuffix(".c") || hasSuffix(".h") }
}

/// Replaces comments and what is between quotes by spaces, and keeps every line break.
///
/// Knows what both languages share, Swift's nested comments, raw and multi-line strings, and
/// interpolation, which counts as part of its string. Single quotes are C's only; an apostrophe in
/// Swift stands in a comment, a string or a regular expression.
func blankingCommentsAndStrings(_ text: String) -> String {
  var scanner = LiteralScanner(bytes: Array(text.utf8))
  while scanner.position < scanner.bytes.count { scanner.skipOne() }
  return String(decoding: scanner.bytes, as: UTF8.self)
}

private struct LiteralScanner {
  var bytes: [UInt8]
  var position = 0

  func sees(_ token: String, at place: Int? = nil) -> Bool {
    bytes[(place ?? position)...].starts(with: token.utf8)
  }

  mutating func blank(_ count: Int = 1) {
    for _ in 0..<count where position < bytes.count {
      if bytes[position] != UInt8(ascii: "\n") { bytes[position] = UInt8(ascii: " ") }
      position += 1
    }
  }

  mutating func skipOne() {
    if sees("//") {
      while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { blank() }
    } else if sees("/*") {
      skipBlockComment()
    } else if sees("'{'") || sees("'}'") || sees("'\"'") {
      blank(3)
    } else if let hashes = openingQuote() {
      skipString(hashes: hashes)
    } else {
      position += 1
    }
  }

  private mutating func skipBlockComment() {
    var depth = 0
    repeat {
      if sees("/*") { depth += 1 }
      if sees("*/") { depth -= 1 }
      blank(sees("/*") || sees("*/") ? 2 : 1)
    } while depth > 0 && position < bytes.count
  }

  /// The number of `#` before the quote that begins here, if one does.
  private func openingQuote() -> Int? {
    var place = position
    while place < bytes.count, bytes[place] == UInt8(ascii: "#") { place += 1 }
    return place < bytes.count && bytes[place] == UInt8(ascii: "\"") ? place - position : nil
  }

  private mutating func skipString(hashes: Int) {
    let marks = String(repeating: "#", count: hashes)
    position += hashes
    let quote = sees("\"\"\"") ? "\"\"\"" : "\""
    position += quote.utf8.count
    while position < bytes.count {
      if sees(quote + marks) {
        position += quote.utf8.count + hashes
        return
      }
      if sees("\\" + marks + "(") {
        blank(2 + hashes)
        skipInterpolation()
      } else {
        blank(sees("\\") && hashes == 0 ? 2 : 1)
      }
    }
  }

  private mutating func skipInterpolation() {
    var depth = 1
    while position < bytes.count, depth > 0 {
      if let hashes = openingQuote() {
        let start = position
        skipString(hashes: hashes)
        let end = position
        position = start
        blank(end - start)
        continue
      }
      if bytes[position] == UInt8(ascii: "(") { depth += 1 }
      if bytes[position] == UInt8(ascii: ")") { depth -= 1 }
      blank()
    }
  }
}
