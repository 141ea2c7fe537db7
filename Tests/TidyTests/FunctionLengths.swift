/// A function's place and how many lines it takes, from its name to its closing brace.
struct FunctionLength: Equatable {
  /// Counted from 1.
  var line: Int
  var lineCount: Int
}

/// Functions, initialisers, deinitialisers and subscripts of a file, found by counting braces.
func functionLengths(of file: SourceFile) -> [FunctionLength] {
  var found: [FunctionLength] = []
  /// One entry per open brace: the line where its function begins, nil for other braces.
  var open: [Int?] = []
  /// The lines since the last brace or statement's end, which say what the next brace belongs to.
  var heads: [(line: Int, text: Substring)] = []
  for (index, line) in file.codeLines.enumerated() {
    var start = line.startIndex
    for place in line.indices where line[place] == "{" || line[place] == "}" {
      heads.append((index + 1, line[start..<place]))
      start = line.index(after: place)
      if line[place] == "{" {
        open.append(functionStart(heads, isSwift: file.isSwift, isNested: !open.isEmpty))
      } else if let first = open.popLast() ?? nil {
        found.append(FunctionLength(line: first, lineCount: index + 2 - first))
      }
      heads = []
    }
    heads.append((index + 1, line[start...]))
    if !file.isSwift && line.hasSuffix(";") { heads = [] }
  }
  return found
}

private func functionStart(
  _ heads: [(line: Int, text: Substring)], isSwift: Bool, isNested: Bool
) -> Int? {
  guard isSwift else {
    // C has no nested functions: what has parentheses before a brace at the top level is one.
    if isNested { return nil }
    return heads.last { $0.text.first?.isLetter ?? false && $0.text.contains("(") }?.line
  }
  let opening = /(^|[^.\w`])(func\s|init[?]?\s*[(<]|deinit\s*$|subscript\s*[(<])/
  return heads.last { (try? opening.firstMatch(in: $0.text)) ?? nil != nil }?.line
}
