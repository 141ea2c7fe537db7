/// Why an expression can't be used; a fragment that completes "the expression … ".
struct ExpressionError: Error, Equatable {
  let problem: String
}
