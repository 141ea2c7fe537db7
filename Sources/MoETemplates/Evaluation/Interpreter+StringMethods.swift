extension Interpreter {
  /// A method of a string, as Python has it; nil where it is not implemented.
  func stringMethod(
    _ name: String, _ text: Text, _ arguments: Arguments
  ) throws(TemplateError) -> Value? {
    try budget.step(text.count / 64)
    // Each makes at most some copies of the text.
    try budget.spend(letters: text.count)
    switch name {
    case "strip": return try strip(text, at: [.start, .end], arguments)
    case "lstrip": return try strip(text, at: .start, arguments)
    case "rstrip": return try strip(text, at: .end, arguments)
    case "split": return try split(text, fromEnd: false, arguments)
    case "rsplit": return try split(text, fromEnd: true, arguments)
    case "partition": return try partition(text, fromEnd: false, arguments)
    case "rpartition": return try partition(text, fromEnd: true, arguments)
    case "splitlines":
      let keepsEnds = try arguments.values(for: "keepends")[0]?.isTrue ?? false
      return try list(of: text.lines(keepingEnds: keepsEnds), text.origin)
    case "startswith": return try hasEnd(text, arguments) { $0.starts(with: $1) }
    case "endswith": return try hasEnd(text, arguments) { $0.ends(with: $1) }
    case "removeprefix":
      let prefix = try part(arguments)
      return Value(text.starts(with: prefix) ? Text(text.letters[prefix.count...]) : text)
    case "removesuffix":
      let suffix = try part(arguments)
      return Value(text.ends(with: suffix) ? Text(text.letters.dropLast(suffix.count)) : text)
    case "replace":
      let values = try arguments.values(for: "old", "new", "count", requiredCount: 2)
      return try replace(text, values[0], values[1], values[2], arguments)
    case "join":
      let elements = try elements(of: try arguments.value(for: "iterable"))
      return try join(elements, separator: text, convertsValues: false)
    case "find", "rfind", "index", "count": return try search(name, text, arguments)
    case "center", "ljust", "rjust":
      let values = try arguments.values(for: "width", "fillchar", requiredCount: 1)
      let fill = try arguments.text(values[1]) ?? Text(" ", .template)
      guard let width = try arguments.integer(values[0]), fill.count == 1 else {
        throw TemplateError(.wrongValue, "\(arguments.callee) wants a width and one character")
      }
      let share: PaddingShare = name == "center" ? .center : name == "ljust" ? .none : .all
      return try padded(text, to: width, leftShare: share, fill: fill.letters[0])
    case "format": return try braceFormatted(text, arguments)
    default:
      try arguments.checkEmpty()
      return plainMethod(name, text)
    }
  }

  /// A method without arguments.
  private func plainMethod(_ name: String, _ text: Text) -> Value? {
    func all(_ holds: (Unicode.Scalar.Properties) -> Bool) -> Value {
      Value(!text.isEmpty && text.letters.allSatisfy { holds($0.scalar.properties) }, text.origin)
    }
    return switch name {
    case "upper": Value(text.uppercased)
    case "lower", "casefold": Value(text.lowercased)
    case "title": Value(text.titled)
    case "capitalize": Value(text.capitalized)
    case "isdigit": all { $0.numericType == .decimal || $0.numericType == .digit }
    case "isalpha": all { $0.isLetter }
    case "isalnum": all { $0.isLetter || $0.numericType != nil }
    case "isspace": Value(!text.isEmpty && text.letters.allSatisfy(\.isSpace), text.origin)
    case "isupper": Value(text.isCased(upper: true), text.origin)
    case "islower": Value(text.isCased(upper: false), text.origin)
    default: nil
    }
  }

  /// The method's only argument, a string.
  private func part(_ arguments: Arguments) throws(TemplateError) -> Text {
    try arguments.text(try arguments.value(for: "sub")) ?? Text()
  }

  private func list(of texts: [Text], _ origin: Origin) throws(TemplateError) -> Value {
    try paid(try Value(list: texts.map { Value($0) }, origin))
  }

  func strip(
    _ text: Text, at ends: TextEnds, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let set = try arguments.text(try arguments.values(for: "chars")[0])
    try budget.spend(letters: text.count + (set?.count ?? 0))
    return Value(text.stripped(of: set, at: ends))
  }

  private func split(
    _ text: Text, fromEnd: Bool, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "sep", "maxsplit")
    let limit = try arguments.integer(values[1]) ?? -1
    let countMax = limit < 0 ? Int.max : limit
    guard let separator = try arguments.text(values[0]) else {
      return try list(of: text.words(countMax: countMax, fromEnd: fromEnd), text.origin)
    }
    if separator.isEmpty { throw TemplateError(.wrongValue, "an empty separator") }
    let places = places(of: separator, in: text, countMax: countMax, fromEnd: fromEnd)
    return try list(of: text.split(at: places, separatorCount: separator.count), text.origin)
  }

  /// Ascending, at most so many.
  private func places(
    of part: Text, in text: Text, countMax: Int, fromEnd: Bool
  ) -> [Int] {
    fromEnd
      ? text.lastPlaces(of: part, countMax: countMax).reversed()
      : TextSearch(part).all(in: text, countMax: countMax)
  }

  private func partition(
    _ text: Text, fromEnd: Bool, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let separator = try part(arguments)
    if separator.isEmpty { throw TemplateError(.wrongValue, "an empty separator") }
    var parts = fromEnd ? [Text(), Text(), text] : [text, Text(), Text()]
    if let place = places(of: separator, in: text, countMax: 1, fromEnd: fromEnd).first {
      let end = place + separator.count
      parts = [
        Text(text.letters[..<place]), Text(text.letters[place..<end]), Text(text.letters[end...]),
      ]
    }
    return try Value(tuple: parts.map { Value($0) }, text.origin)
  }

  /// Whether one of the strings that are given is an end of the text.
  private func hasEnd(
    _ text: Text, _ arguments: Arguments, _ isEnd: (Text, Text) -> Bool
  ) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "part", "start", "end", requiredCount: 1)
    guard values[1] == nil && values[2] == nil, let part = values[0] else {
      throw TemplateError(.unsupported, "unsupported: \(arguments.callee) with places")
    }
    var candidates = [part]
    if case .tuple(let list) = part.kind { candidates = list.elements }
    try budget.step(candidates.count / 16)
    for candidate in candidates {
      if let end = try arguments.text(candidate), isEnd(text, end) {
        return Value(true, text.origin)
      }
    }
    return Value(false, text.origin)
  }

  private func search(
    _ name: String, _ text: Text, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "sub", "start", "end", requiredCount: 1)
    let part = try arguments.text(values[0]) ?? Text()
    func place(_ value: Value?, or usual: Int) throws(TemplateError) -> Int {
      guard let index = try arguments.integer(value) else { return usual }
      return max(index < 0 ? index.addingSaturating(text.count) : index, 0)
    }
    let start = try place(values[1], or: 0)
    let end = min(try place(values[2], or: text.count), text.count)
    var places: [Int] = []
    if start <= end {
      let window = Text(text.letters[start..<end])
      let countMax = name == "count" ? Int.max : 1
      places = self.places(of: part, in: window, countMax: countMax, fromEnd: name == "rfind")
    }
    if name == "count" { return Value(places.count, text.origin) }
    if let first = places.first { return Value(start + first, text.origin) }
    if name == "index" { throw TemplateError(.wrongValue, "'index' of a string that is not there") }
    return Value(-1, text.origin)
  }

  func replace(
    _ text: Text, _ old: Value?, _ new: Value?, _ count: Value?, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    guard let old = try arguments.text(old), let new = try arguments.text(new) else {
      throw TemplateError(.wrongValue, "\(arguments.callee) wants two strings")
    }
    let limit = try arguments.integer(count) ?? -1
    let places = TextSearch(old).all(in: text, countMax: limit < 0 ? .max : limit)
    try budget.spend(letters: places.count.multipliedSaturating(by: new.count + 1))
    try budget.spend(letters: text.count)
    var result = Text()
    var start = 0
    for place in places {
      result.letters += text.letters[start..<place]
      result.append(new)
      start = place + old.count
    }
    result.letters += text.letters[start...]
    return Value(result)
  }

  /// - Parameter convertsValues: whether values that are no strings are printed, as the filter
  ///   does; the method refuses them.
  func join(
    _ elements: [Value], separator: Text, convertsValues: Bool
  ) throws(TemplateError) -> Value {
    var text = Text()
    for (index, element) in elements.enumerated() {
      if element.text == nil && !convertsValues {
        throw TemplateError(
          .wrongValue, "'join' wants strings, not a value of type \(element.typeName)")
      }
      let part = try ValuePrinter.text(of: element, budget)
      try budget.spend(letters: part.count + separator.count)
      if index > 0 { text.append(separator) }
      text.append(part)
    }
    return Value(text)
  }
}

extension Unicode.Scalar.Properties {
  fileprivate var isLetter: Bool {
    switch generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }
}
