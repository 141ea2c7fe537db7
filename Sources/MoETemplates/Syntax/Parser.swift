/// Reads a template's tokens into statements.
///
/// It descends recursively, at most `depthMax` levels.
struct Parser {
  private let tokens: [Token]
  private var index = 0
  private let depthMax: Int
  private var depth = 0
  /// Loops around the statement that is read, within its macro.
  var loopDepth = 0
  /// The names that the macro which is read reads, and those around it.
  var namesRead: [Set<String>] = [[]]

  static func statements(
    of source: String, limits: TemplateLimits
  ) throws(TemplateError) -> [Statement] {
    if source.utf8.count > limits.sourceByteCountMax {
      throw TemplateError(
        .limit, "a chat template of more than \(limits.sourceByteCountMax) bytes")
    }
    var parser = Parser(tokens: try Lexer.tokens(of: source), depthMax: limits.depthMax)
    return try parser.statements(until: [], in: nil)
  }

  private init(tokens: [Token], depthMax: Int) {
    self.tokens = tokens
    self.depthMax = depthMax
  }

  var token: Token { tokens[min(index, tokens.count - 1)] }

  var following: Token { tokens[min(index + 1, tokens.count - 1)] }

  mutating func advance() { index += 1 }

  func error(_ problem: String) -> TemplateError {
    TemplateError(.syntax, problem, line: token.line)
  }

  func unsupported(_ what: String) -> TemplateError {
    TemplateError(.unsupported, "unsupported: \(what)", line: token.line)
  }

  mutating func enter() throws(TemplateError) {
    depth += 1
    if depth > depthMax {
      throw TemplateError(.limit, "more than \(depthMax) levels of nesting", line: token.line)
    }
  }

  mutating func leave(_ count: Int = 1) { depth -= count }

  func isAt(symbol: String) -> Bool { token.kind == .symbol(symbol) }

  func isAt(name: String) -> Bool { token.kind == .name(name) }

  mutating func take(symbol: String) -> Bool {
    guard isAt(symbol: symbol) else { return false }
    advance()
    return true
  }

  mutating func take(name: String) -> Bool {
    guard isAt(name: name) else { return false }
    advance()
    return true
  }

  mutating func expect(symbol: String) throws(TemplateError) {
    guard take(symbol: symbol) else { throw error("wanted '\(symbol)', found \(token.name)") }
  }

  mutating func expect(name: String) throws(TemplateError) {
    guard take(name: name) else { throw error("wanted '\(name)', found \(token.name)") }
  }

  mutating func expectTagEnd() throws(TemplateError) {
    guard token.kind == .tagEnd else { throw error("wanted '%}', found \(token.name)") }
    advance()
  }

  mutating func expectName() throws(TemplateError) -> String {
    guard case .name(let name) = token.kind else {
      throw error("wanted a name, found \(token.name)")
    }
    advance()
    return name
  }
}
