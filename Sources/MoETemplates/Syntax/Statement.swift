/// A statement of a template.
indirect enum Statement: Sendable {
  case text(Text)
  case output(Expression)
  case condition(branches: [Branch], otherwise: [Statement])
  case loop(Loop)
  case set(Target, to: Expression, line: Int)
  /// `{% set name %}...{% endset %}`: the body's output, filtered.
  case capture(Target, filters: [Postfix], body: [Statement], line: Int)
  case macro(Macro)
  case call(CallBlock)
  case filter([Postfix], body: [Statement])
  case with([Assignment], body: [Statement], line: Int)
  /// A body with variables of its own: `{% generation %}`.
  case block([Statement])
  case breakLoop
  case continueLoop
}

struct Branch: Sendable {
  let condition: Expression
  let body: [Statement]
}

struct Loop: Sendable {
  let target: Target
  let sequence: Expression
  /// Elements for which it isn't true are passed over, and not counted.
  let condition: Expression?
  let body: [Statement]
  /// For a loop without elements.
  let otherwise: [Statement]
  let line: Int
}

/// What a value is assigned to.
indirect enum Target: Sendable {
  case name(String)
  /// A member of a namespace.
  case attribute(String, name: String)
  case tuple([Target])
}

struct Assignment: Sendable {
  let target: Target
  let value: Expression
}

struct Parameter: Sendable {
  let name: String
  /// Evaluated at each call.
  let initial: Expression?
}

struct Macro: Sendable {
  let name: String
  let parameters: [Parameter]
  let body: [Statement]
  /// Whether the body reads `varargs` and `kwargs`: only then more arguments may be given.
  let takesMorePositional: Bool
  let takesMoreNamed: Bool
  let line: Int
}

/// `{% call(parameters) callee(arguments) %}body{% endcall %}`: the body is the callee's `caller`.
struct CallBlock: Sendable {
  let caller: Macro
  let callee: Expression
  let arguments: ArgumentList
  let line: Int
}
