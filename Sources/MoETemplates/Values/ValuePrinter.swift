/// Writes values as Python's `str` and `repr` do.
struct ValuePrinter {
  private let budget: Budget
  private(set) var text = Text()

  init(_ budget: Budget) { self.budget = budget }

  /// The value as it is printed. What is undefined prints as nothing.
  static func text(of value: Value, _ budget: Budget) throws(TemplateError) -> Text {
    if case .string(let text) = value.kind { return text }
    var printer = ValuePrinter(budget)
    try printer.write(value)
    return printer.text
  }

  /// The value as it is printed in a list: strings are in quotes.
  static func representation(of value: Value, _ budget: Budget) throws(TemplateError) -> Text {
    var printer = ValuePrinter(budget)
    try printer.writeElement(value)
    return printer.text
  }

  private mutating func append(_ string: String, _ origin: Origin) throws(TemplateError) {
    try budget.spend(letters: string.utf8.count)
    text.append(string, origin)
  }

  /// A value within others: strings are in quotes.
  private mutating func write(_ value: Value) throws(TemplateError) {
    try budget.enter()
    defer { budget.leave() }
    let origin = value.origin
    switch value.kind {
    case .undefined: break
    case .null: try append("None", origin)
    case .bool(let bool): try append(bool ? "True" : "False", origin)
    case .integer(let integer): try append("\(integer)", origin)
    case .numeral(let digits): try append(digits, origin)
    case .float(let double): try append(pythonDescription(of: double), origin)
    case .string(let string):
      try budget.spend(letters: string.count)
      text.append(string.quoted(origin))
    case .list(let list): try write(list.elements, "[", "]", origin)
    case .tuple(let list):
      try write(list.elements, "(", list.elements.count == 1 ? ",)" : ")", origin)
    case .dict(let dict): try write(dict, origin)
    case .namespace(let dict):
      try append("<Namespace ", origin)
      try write(dict, origin)
      try append(">", origin)
    case .loop(let loop):
      try append("<LoopContext \(loop.index + 1)/\(loop.elements.count)>", origin)
    case .macro(let macro): try append("<Macro '\(macro.macro.name)'>", origin)
    case .function(let function): try append("<function \(function.rawValue)>", origin)
    case .joiner: try append("<Joiner>", origin)
    case .method(let name): try append("<method \(name)>", origin)
    }
  }

  private mutating func write(
    _ elements: [Value], _ opening: String, _ closing: String, _ origin: Origin
  ) throws(TemplateError) {
    try append(opening, origin)
    for (index, element) in elements.enumerated() {
      if index > 0 { try append(", ", origin) }
      try writeElement(element)
    }
    try append(closing, origin)
  }

  private mutating func write(_ dict: DictObject, _ origin: Origin) throws(TemplateError) {
    try append("{", origin)
    for index in 0..<dict.count {
      if index > 0 { try append(", ", origin) }
      try writeElement(dict.keys[index])
      try append(": ", origin)
      try writeElement(dict.values[index])
    }
    try append("}", origin)
  }

  private mutating func writeElement(_ value: Value) throws(TemplateError) {
    if value.isUndefined {
      try append("Undefined", value.origin)
    } else {
      try write(value)
    }
  }
}
