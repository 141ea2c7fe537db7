/// The variable `loop` of a running `for`.
final class LoopObject {
  let elements: [Value]
  /// Who decided how many elements there are.
  let origin: Origin
  let nesting: Int
  var index = 0
  /// What `loop.changed` was last asked with.
  var lastChanged: [Value]?

  init(_ elements: [Value], origin: Origin) throws(TemplateError) {
    self.elements = elements
    self.origin = origin
    nesting = try ListObject(elements).nesting
  }
}

/// A macro, or the body of a `call` block, with the variables around its definition.
final class MacroObject {
  let macro: Macro
  let scope: Scope

  init(_ macro: Macro, scope: Scope) {
    self.macro = macro
    self.scope = scope
  }
}

/// Prints nothing the first time it is called, its separator from then on.
final class JoinerObject {
  let separator: Value
  var isUsed = false

  init(separator: Value) { self.separator = separator }
}

/// Variables by name, with those around them.
final class Scope {
  let parent: Scope?
  private var variables: [String: Value] = [:]
  /// Whether something that outlives the scope may refer to it.
  var isRegistered = false

  init(parent: Scope?) { self.parent = parent }

  func value(of name: String) -> Value? {
    var scope: Scope? = self
    while let current = scope {
      if let value = current.variables[name] { return value }
      scope = current.parent
    }
    return nil
  }

  func set(_ name: String, to value: Value) { variables[name] = value }

  func removeAll() { variables = [:] }
}

/// The functions that templates find without being given them.
enum Function: String, Sendable {
  case range
  case namespace
  case dict
  case joiner
  case raiseException = "raise_exception"
  case strftimeNow = "strftime_now"
}
