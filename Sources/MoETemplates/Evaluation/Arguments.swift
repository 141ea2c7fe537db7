/// What a call gives, evaluated.
struct Arguments {
  /// What is called, for messages: `the filter 'join'`.
  let callee: String
  var positional: [Value] = []
  var named: [(name: String, value: Value)] = []

  /// The values of parameters by their order or name; nil for those that are not given.
  ///
  /// Throws where more is given, or one of the first `requiredCount` is not.
  func values(
    for names: String..., requiredCount: Int = 0
  ) throws(TemplateError) -> [Value?] {
    var values = [Value?](repeating: nil, count: names.count)
    guard positional.count <= names.count else {
      throw TemplateError(.wrongValue, "\(callee) takes at most \(names.count) arguments")
    }
    for (index, value) in positional.enumerated() { values[index] = value }
    for (name, value) in named {
      guard let index = names.firstIndex(of: name), values[index] == nil else {
        throw TemplateError(.wrongValue, "\(callee) takes no argument '\(name)' here")
      }
      values[index] = value
    }
    for index in 0..<requiredCount where values[index] == nil {
      throw TemplateError(.wrongValue, "\(callee) needs the argument '\(names[index])'")
    }
    return values
  }

  /// The only argument, which must be given.
  func value(for name: String) throws(TemplateError) -> Value {
    guard let value = try values(for: name, requiredCount: 1)[0] else {
      throw TemplateError(.wrongValue, "\(callee) needs the argument '\(name)'")
    }
    return value
  }

  func checkEmpty() throws(TemplateError) { _ = try values() }

  /// The argument as a string; nil where it is not given or none.
  func text(_ value: Value?) throws(TemplateError) -> Text? {
    guard let value, !value.isNull else { return nil }
    guard let text = value.text else {
      throw TemplateError(
        .wrongValue, "\(callee) wants a string, not a value of type \(value.typeName)")
    }
    return text
  }

  /// The argument as an integer; nil where it is not given or none.
  func integer(_ value: Value?) throws(TemplateError) -> Int? {
    guard let value, !value.isNull else { return nil }
    guard let integer = value.integer else {
      throw TemplateError(
        .wrongValue, "\(callee) wants an integer, not a value of type \(value.typeName)")
    }
    return integer
  }
}
