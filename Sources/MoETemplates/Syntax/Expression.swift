/// An expression of a template. Chains of operators are flat, so that only brackets, signs and
/// conditions make it deep.
indirect enum Expression: Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(Text)
  case name(String, line: Int)
  case list([Expression])
  case tuple([Expression])
  case dict([DictEntry])
  /// `value if condition else otherwise`; without the last it may be undefined.
  case conditional(Conditional)
  case any([Expression])
  case all([Expression])
  case not(Expression)
  /// `a < b <= c`: true where every neighbouring pair compares so.
  case comparison(Expression, [ComparisonPart])
  /// From left to right: operators of one rank.
  case arithmetic(Expression, [ArithmeticPart])
  case concatenation([Expression], line: Int)
  case negative(Expression, line: Int)
  case positive(Expression, line: Int)
  case postfix(Expression, [Postfix])
}

struct DictEntry: Sendable {
  let key: Expression
  let value: Expression
}

struct Conditional: Sendable {
  let condition: Expression
  let value: Expression
  let otherwise: Expression?
}

enum ComparisonOperator: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

struct ComparisonPart: Sendable {
  let comparison: ComparisonOperator
  let operand: Expression
  let line: Int
}

enum ArithmeticOperator: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case remainder = "%"
  case power = "**"
}

struct ArithmeticPart: Sendable {
  let operation: ArithmeticOperator
  let operand: Expression
  let line: Int
}

/// What follows a value and makes another of it.
struct Postfix: Sendable {
  enum Kind: Sendable {
    case attribute(String)
    case item(Expression)
    case slice(start: Expression?, stop: Expression?, step: Expression?)
    case call(ArgumentList)
    case filter(String, ArgumentList)
    case test(String, ArgumentList, isNegated: Bool)
  }

  let kind: Kind
  let line: Int
}

/// What a call gives, not yet evaluated.
struct ArgumentList: Sendable {
  var positional: [Expression] = []
  var named: [NamedArgument] = []
  /// `*list` and `**dict`.
  var list: Expression?
  var dict: Expression?
}

struct NamedArgument: Sendable {
  let name: String
  let value: Expression
}
