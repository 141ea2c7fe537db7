/// Runs one rendering of a template.
final class Interpreter {
  let budget: Budget
  let clock: TemplateClock
  /// The line of what runs, counted from 1: where an error happened.
  var line = 1
  var scope: Scope
  private let outputLetterCountMax: Int
  /// What was written since the capture that runs began.
  private var output = Text()
  /// What may hold on to itself, emptied at the end so that it is freed.
  private var scopes: [Scope] = []
  private var containers: [Container] = []

  /// What a statement says about those after it.
  enum Flow { case next, breakLoop, continueLoop }

  init(_ limits: TemplateLimits, budget: Budget, clock: TemplateClock) {
    self.budget = budget
    self.clock = clock
    outputLetterCountMax = limits.outputByteCountMax
    scope = Scope(parent: nil)
  }

  /// The template's output. Errors carry the line where they happened.
  func render(_ statements: [Statement]) throws(TemplateError) -> Text {
    defer { release() }
    // The template's own variables lie above those that it is given.
    scope = Scope(parent: scope)
    do throws(TemplateError) {
      _ = try run(statements)
    } catch {
      var error = error
      if error.line == nil { error.line = line }
      throw error
    }
    return output
  }

  /// Takes note of a scope that something may hold longer than its statements run.
  func register(_ scope: Scope) {
    if scope.isRegistered { return }
    scope.isRegistered = true
    scopes.append(scope)
  }

  /// Takes note of a container that is about to be changed.
  func register(_ container: Container) {
    if container.isRegistered { return }
    container.isRegistered = true
    containers.append(container)
  }

  private func release() {
    for scope in scopes { scope.removeAll() }
    for container in containers { container.removeAll() }
  }

  func write(_ text: Text) throws(TemplateError) {
    if output.count + text.count > outputLetterCountMax {
      throw TemplateError(.limit, "the output is longer than \(outputLetterCountMax) bytes")
    }
    try budget.spend(letters: text.count)
    output.append(text)
  }

  /// What `body` writes, and with variables of its own.
  func capture(_ body: [Statement], in inner: Scope) throws(TemplateError) -> Text {
    let (outerOutput, outerScope) = (output, scope)
    output = Text()
    scope = inner
    _ = try run(body)
    let captured = output
    output = outerOutput
    scope = outerScope
    return captured
  }

  /// The variable, or else the function of that name.
  func value(named name: String) -> Value {
    if let value = scope.value(of: name) { return value }
    if let function = Function(rawValue: name) { return Value(.function(function)) }
    return .undefined("'\(name)' is undefined")
  }
}
