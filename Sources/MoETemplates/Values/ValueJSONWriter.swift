import MoECore

/// Writes values as Python's `json.dumps` does, which chat templates call `tojson`.
struct ValueJSONWriter {
  struct Options {
    var isASCII = false
    var isSorted = false
    /// What each level is indented by; nil for all on one line.
    var indent: Text?
    var itemSeparator: Text?
    var keySeparator: Text?
  }

  private let options: Options
  private let budget: Budget
  private var text = Text()
  private var level = 0

  static func text(
    of value: Value, _ options: Options, _ budget: Budget
  ) throws(TemplateError) -> Text {
    var writer = ValueJSONWriter(options: options, budget: budget)
    try writer.write(value)
    return writer.text
  }

  private init(options: Options, budget: Budget) {
    self.options = options
    self.budget = budget
  }

  private mutating func append(_ string: String, _ origin: Origin) throws(TemplateError) {
    try budget.spend(letters: string.utf8.count)
    text.append(string, origin)
  }

  private mutating func write(_ value: Value) throws(TemplateError) {
    try budget.enter()
    defer { budget.leave() }
    let origin = value.origin
    switch value.kind {
    case .string(let string):
      try budget.spend(letters: string.count)
      try append("\"", origin)
      text.append(string.escapedForJSON(ascii: options.isASCII))
      try append("\"", origin)
    case .list(let list), .tuple(let list): try write(list.elements, origin)
    case .dict(let dict): try write(dict, origin)
    default: try append(try scalar(value), origin)
    }
  }

  /// A value without parts.
  private func scalar(_ value: Value) throws(TemplateError) -> String {
    switch value.kind {
    case .null: return "null"
    case .bool(let bool): return bool ? "true" : "false"
    case .integer(let integer): return "\(integer)"
    case .numeral(let digits): return digits
    case .float(let double):
      if double.isNaN { return "NaN" }
      if double.isInfinite { return double < 0 ? "-Infinity" : "Infinity" }
      return pythonDescription(of: double)
    default:
      throw TemplateError(.wrongValue, "a value of type \(value.typeName) has no JSON form")
    }
  }

  private mutating func write(_ elements: [Value], _ origin: Origin) throws(TemplateError) {
    try append("[", origin)
    level += 1
    for (index, element) in elements.enumerated() {
      try separate(isFirst: index == 0, origin)
      try write(element)
    }
    level -= 1
    if !elements.isEmpty { try breakLine(origin) }
    try append("]", origin)
  }

  private mutating func write(_ dict: DictObject, _ origin: Origin) throws(TemplateError) {
    try append("{", origin)
    level += 1
    for (count, index) in try order(of: dict).enumerated() {
      try separate(isFirst: count == 0, origin)
      let key = dict.keys[index]
      if key.text != nil {
        try write(key)
      } else {
        if key.elements != nil { throw TemplateError(.wrongValue, "a JSON key that is a tuple") }
        try append("\"" + (try scalar(key)) + "\"", key.origin)
      }
      try append(options.keySeparator, or: ": ", origin)
      try write(dict.values[index])
    }
    level -= 1
    if dict.count > 0 { try breakLine(origin) }
    try append("}", origin)
  }

  private func order(of dict: DictObject) throws(TemplateError) -> [Int] {
    let indices = Array(0..<dict.count)
    if !options.isSorted { return indices }
    let keys = dict.keys
    return try indices.stablySorted { (first, second) throws(TemplateError) -> Bool in
      try keys[first].isLess(than: keys[second], budget)
    }
  }

  private mutating func separate(isFirst: Bool, _ origin: Origin) throws(TemplateError) {
    if !isFirst {
      try append(options.itemSeparator, or: options.indent == nil ? ", " : ",", origin)
    }
    try breakLine(origin)
  }

  private mutating func breakLine(_ origin: Origin) throws(TemplateError) {
    guard let indent = options.indent else { return }
    try append("\n", origin)
    try budget.spend(letters: indent.count.multipliedSaturating(by: level))
    for _ in 0..<level { text.append(indent) }
  }

  private mutating func append(
    _ separator: Text?, or usual: String, _ origin: Origin
  ) throws(TemplateError) {
    guard let separator else { return try append(usual, origin) }
    try budget.spend(letters: separator.count)
    text.append(separator)
  }
}
