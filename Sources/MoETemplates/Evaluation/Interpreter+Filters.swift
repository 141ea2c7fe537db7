import MoECore

/// Filters that make a value of one value.
private enum ValueFilter: String {
  case upper, lower, title, capitalize, trim, replace, indent, string, safe, escape, tojson
  case center, format
  case fromJSON = "from_json"
  case fallback = "default"
  case int, float, abs, round, length, wordcount
}

extension Interpreter {
  private static let aliases = [
    "d": "default", "count": "length", "e": "escape", "forceescape": "escape",
    "fromjson": "from_json",
  ]

  /// What a filter makes of a value.
  func filter(
    _ name: String, _ value: Value, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let name = Self.aliases[name] ?? name
    if let filter = ValueFilter(rawValue: name) {
      return try apply(filter, value, arguments)
    }
    if let filter = SequenceFilter(rawValue: name) {
      return try apply(filter, value, arguments)
    }
    throw TemplateError(.unsupported, "unsupported: \(arguments.callee)")
  }

  static func hasFilter(_ name: String) -> Bool {
    let name = aliases[name] ?? name
    return ValueFilter(rawValue: name) != nil || SequenceFilter(rawValue: name) != nil
  }

  private func apply(
    _ filter: ValueFilter, _ value: Value, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    switch filter {
    case .fallback:
      let values = try arguments.values(for: "default_value", "boolean")
      let isMissing = value.isUndefined || (values[1]?.isTrue ?? false) && !value.isTrue
      return isMissing ? values[0] ?? Value(Text()) : value
    case .tojson: return try toJSON(value, arguments)
    case .fromJSON: return try fromJSON(value, arguments)
    case .length:
      try arguments.checkEmpty()
      return Value(try length(of: value), value.origin)
    case .int: return try integer(from: value, arguments)
    case .float: return try double(from: value, arguments)
    case .abs, .round: return try number(filter, value, arguments)
    default: return try apply(filter, toTextOf: value, arguments)
    }
  }

  /// Filters of the text that the value prints as.
  private func apply(
    _ filter: ValueFilter, toTextOf value: Value, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let text = try ValuePrinter.text(of: value, budget)
    try budget.step(text.count / 64)
    try budget.spend(letters: text.count)
    switch filter {
    case .trim: return try strip(text, at: [.start, .end], arguments)
    case .indent: return try indent(text, arguments)
    case .replace:
      let values = try arguments.values(for: "old", "new", "count", requiredCount: 2)
      let old = Value(try ValuePrinter.text(of: values[0] ?? .null, budget))
      let new = Value(try ValuePrinter.text(of: values[1] ?? .null, budget))
      return try replace(text, old, new, values[2], arguments)
    case .center:
      let width = try arguments.integer(try arguments.values(for: "width")[0]) ?? 80
      return try padded(text, to: width, leftShare: .center, fill: Letter(" ", .template))
    case .format: return try formatted(text, arguments)
    default: try arguments.checkEmpty()
    }
    switch filter {
    case .upper: return Value(text.uppercased)
    case .lower: return Value(text.lowercased)
    case .title: return Value(text.titledByWords)
    case .capitalize: return Value(text.capitalized)
    // Nothing is escaped on its own, so a text that is safe stays as it is, and an escaped one is
    // escaped once more if it is asked for again.
    case .escape: return try paid(Value(text.escapedForHTML))
    case .wordcount: return Value(text.words(countMax: .max, fromEnd: false).count, text.origin)
    default: return Value(text)
    }
  }

  private func length(of value: Value) throws(TemplateError) -> Int {
    switch value.kind {
    case .undefined: return 0
    case .string(let text): return text.count
    case .list(let list), .tuple(let list): return list.elements.count
    case .dict(let dict): return dict.count
    case .loop(let loop): return loop.elements.count
    default: throw TemplateError(.wrongValue, "a value of type \(value.typeName) has no length")
    }
  }

  private func indent(_ text: Text, _ arguments: Arguments) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "width", "first", "blank")
    let width: Text
    if let text = values[0]?.text {
      width = text
    } else {
      let count = max(try arguments.integer(values[0]) ?? 4, 0)
      try budget.spend(letters: count)
      width = Text([Letter](repeating: Letter(" ", .template), count: count))
    }
    let indentsBlank = values[2]?.isTrue ?? false
    // An empty text has one line, and a line break at the end begins one.
    let lines = Text(text.letters + [Letter("\n", .template)]).lines()
    try budget.spend(letters: lines.count.multipliedSaturating(by: width.count + 1))
    var result = Text()
    for (index, line) in lines.enumerated() {
      if index > 0 { result.append("\n", .template) }
      let isIndented =
        index == 0 ? values[1]?.isTrue ?? false : indentsBlank || !line.isEmpty
      if isIndented { result.append(width) }
      result.append(line)
    }
    return Value(result)
  }

  private func toJSON(_ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "ensure_ascii", "indent", "separators", "sort_keys")
    var options = ValueJSONWriter.Options()
    options.isASCII = values[0]?.isTrue ?? false
    options.isSorted = values[3]?.isTrue ?? false
    if let text = values[1]?.text {
      options.indent = text
    } else if let count = try arguments.integer(values[1]) {
      try budget.spend(letters: max(count, 0))
      options.indent = Text([Letter](repeating: Letter(" ", .template), count: max(count, 0)))
    }
    if let separators = values[2], !separators.isNull {
      guard let parts = separators.elements, parts.count == 2, let item = parts[0].text,
        let key = parts[1].text
      else { throw TemplateError(.wrongValue, "\(arguments.callee) wants two separators") }
      options.itemSeparator = item
      options.keySeparator = key
    }
    return Value(try ValueJSONWriter.text(of: value, options, budget))
  }

  private func fromJSON(_ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    try arguments.checkEmpty()
    guard let text = value.text else {
      throw TemplateError(
        .wrongValue, "\(arguments.callee) wants a string, not a value of type \(value.typeName)")
    }
    try budget.spend(elements: text.count)
    let json: JSON
    do {
      json = try JSON(text: text.string)
    } catch {
      throw TemplateError(error)
    }
    return try Value(json: json, text.origin, budget)
  }

  func integer(from value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "default", "base")
    let base = try arguments.integer(values[1]) ?? 10
    let fallback = values[0] ?? Value(0, .template)
    switch value.kind {
    case .undefined(let problem): throw TemplateError(.wrongValue, problem)
    case .integer, .numeral: return value
    case .bool(let bool): return Value(bool ? 1 : 0, value.origin)
    case .float(let double):
      if let integer = Int(exactly: double.rounded(.towardZero)) {
        return Value(integer, value.origin)
      }
      return fallback
    case .string(let text):
      guard (2...36).contains(base) else { return fallback }
      let digits = text.stripped(of: nil, at: [.start, .end]).string
      if let integer = Int(digits.replacing("_", with: ""), radix: base) {
        return Value(integer, value.origin)
      }
      if let double = pythonDouble(digits), let integer = Int(exactly: double.rounded(.towardZero))
      {
        return Value(integer, value.origin)
      }
      return fallback
    default: return fallback
    }
  }

  private func double(from value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    let fallback = try arguments.values(for: "default")[0] ?? Value(.float(0))
    switch value.kind {
    case .undefined(let problem): throw TemplateError(.wrongValue, problem)
    case .float: return value
    case .numeral(let digits): return Value(.float(Double(digits) ?? 0), value.origin)
    case .string(let text):
      let digits = text.stripped(of: nil, at: [.start, .end]).string
      return pythonDouble(digits).map { Value(.float($0), value.origin) } ?? fallback
    default: return value.double.map { Value(.float($0), value.origin) } ?? fallback
    }
  }

  private func number(
    _ filter: ValueFilter, _ value: Value, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let values =
      filter == .abs ? try arguments.values() : try arguments.values(for: "precision", "method")
    if case .float(let double) = value.kind {
      if filter == .abs { return Value(.float(double.magnitude), value.origin) }
      let precision = try arguments.integer(values[0]) ?? 0
      let method = try arguments.text(values[1])?.string ?? "common"
      return Value(.float(try rounded(double, precision, method)), value.origin)
    }
    guard let integer = value.integer else {
      throw TemplateError(
        .wrongValue, "\(arguments.callee) wants a number, not a value of type \(value.typeName)")
    }
    if filter == .round {
      let precision = try arguments.integer(values[0]) ?? 0
      let method = try arguments.text(values[1])?.string ?? "common"
      if method == "common" && precision >= 0 { return Value(integer, value.origin) }
      let result = try rounded(Double(integer), precision, method)
      guard method == "common" else { return Value(.float(result), value.origin) }
      guard let whole = Int(exactly: result) else {
        throw TemplateError(.limit, "an integer of more than 64 bits")
      }
      return Value(whole, value.origin)
    }
    if integer == .min { throw TemplateError(.limit, "an integer of more than 64 bits") }
    return Value(Int(integer.magnitude), value.origin)
  }
}
