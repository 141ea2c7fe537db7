/// How much of the padding goes before a text.
enum PaddingShare {
  case none, center, all
}

extension Interpreter {
  func padded(
    _ text: Text, to width: Int, leftShare: PaddingShare, fill: Letter
  ) throws(TemplateError) -> Value {
    let missing = max(width.addingSaturating(-text.count), 0)
    try budget.spend(letters: missing.addingSaturating(text.count))
    let left =
      switch leftShare {
      case .none: 0
      // Where it can't be halved, Python puts the odd one left if the width is odd.
      case .center: missing / 2 + (missing & width & 1)
      case .all: missing
      }
    var letters = [Letter](repeating: fill, count: left)
    letters += text.letters
    letters += [Letter](repeating: fill, count: missing - left)
    return Value(Text(letters))
  }

  /// The text with `%s`, `%d`, `%r` and `%%` replaced, as Python's `%` does it. Other directives,
  /// and those with widths, are refused by name.
  func formatted(
    _ format: Text, _ arguments: Arguments, usesAll: Bool = true
  ) throws(TemplateError) -> Value {
    guard arguments.named.isEmpty else {
      throw TemplateError(.unsupported, "unsupported: \(arguments.callee) with names")
    }
    var result = Text()
    var rest = arguments.positional[...]
    var isDirective = false
    for letter in format.letters {
      guard isDirective else {
        isDirective = letter.scalar == "%"
        if !isDirective { result.letters.append(letter) }
        continue
      }
      isDirective = false
      if letter.scalar == "%" {
        result.letters.append(letter)
        continue
      }
      guard let value = rest.popFirst() else {
        throw TemplateError(.wrongValue, "not enough values for a format")
      }
      // A value may be printed many times for one that is given.
      try budget.spend(letters: value.text?.count ?? 0)
      switch letter.scalar {
      case "s": result.append(try ValuePrinter.text(of: value, budget))
      case "r": result.append(try ValuePrinter.representation(of: value, budget))
      case "d" where value.double != nil:
        let whole = try integer(from: value, Arguments(callee: "'%d'"))
        result.append(try ValuePrinter.text(of: whole, budget))
      default:
        throw TemplateError(
          .unsupported, "unsupported: '%\(letter.scalar)' for a value of type \(value.typeName)")
      }
    }
    if isDirective { throw TemplateError(.wrongValue, "a format ends within a directive") }
    if usesAll && !rest.isEmpty {
      throw TemplateError(.wrongValue, "more values than the format takes")
    }
    return try paid(Value(result))
  }

  /// The text with `{}`, `{0}` and `{name}` replaced, as Python's `str.format` does it. Fields with
  /// attributes, conversions or widths are refused.
  func braceFormatted(_ format: Text, _ arguments: Arguments) throws(TemplateError) -> Value {
    var result = Text()
    var index = 0
    var nextPlace = 0
    let letters = format.letters
    while index < letters.count {
      let scalar = letters[index].scalar
      let isDoubled = index + 1 < letters.count && letters[index + 1].scalar == scalar
      guard scalar == "{" || scalar == "}", !isDoubled else {
        result.letters.append(letters[index])
        index += scalar == "{" || scalar == "}" ? 2 : 1
        continue
      }
      guard scalar == "{", let end = letters[index...].firstIndex(where: { $0.scalar == "}" })
      else { throw TemplateError(.wrongValue, "a brace without its pair in a format") }
      let name = Text(letters[(index + 1)..<end]).string
      index = end + 1
      let place = name.isEmpty ? nextPlace : Int(name)
      if name.isEmpty { nextPlace += 1 }
      if name.unicodeScalars.contains(where: { ".[!:{".unicodeScalars.contains($0) }) {
        throw TemplateError(.unsupported, "unsupported: the format field '{\(name.prefix(40))}'")
      }
      var value = arguments.named.first { $0.name == name }?.value
      if let place {
        let isThere = (0..<arguments.positional.count).contains(place)
        value = isThere ? arguments.positional[place] : nil
      }
      guard let value else {
        throw TemplateError(.wrongValue, "no value for the format field '{\(name.prefix(40))}'")
      }
      let part = try ValuePrinter.text(of: value, budget)
      try budget.spend(letters: part.count)
      result.append(part)
    }
    return try paid(Value(result))
  }
}
