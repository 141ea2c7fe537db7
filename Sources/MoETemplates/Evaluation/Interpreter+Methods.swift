/// Names of the methods that values have, by type.
private enum MethodNames {
  static let string: Set<String> = [
    "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith", "endswith",
    "replace", "upper", "lower", "title", "capitalize", "join", "find", "rfind", "index", "count",
    "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "removeprefix",
    "removesuffix", "partition", "rpartition", "zfill", "format", "encode", "center", "ljust",
    "rjust", "swapcase", "casefold",
  ]

  static let list: Set<String> = [
    "append", "extend", "insert", "pop", "remove", "reverse", "clear", "copy", "index", "count",
    "sort",
  ]

  static let tuple: Set<String> = ["index", "count"]

  static let dict: Set<String> = [
    "get", "items", "keys", "values", "pop", "update", "setdefault", "copy", "clear", "popitem",
  ]

  static let loop: Set<String> = ["cycle", "changed"]
}

extension Value {
  func hasMethod(_ name: String) -> Bool {
    switch kind {
    case .string: MethodNames.string.contains(name)
    case .list: MethodNames.list.contains(name)
    case .tuple: MethodNames.tuple.contains(name)
    case .dict: MethodNames.dict.contains(name)
    case .loop: MethodNames.loop.contains(name)
    default: false
    }
  }
}

extension Interpreter {
  /// Calls a method that the value has.
  func callMethod(
    _ name: String, of value: Value, _ list: ArgumentList, _ line: Int
  ) throws(TemplateError) -> Value {
    let arguments = try evaluate(list, of: "the method '\(name)'")
    self.line = line
    try budget.step()
    let result: Value? =
      switch value.kind {
      case .string(let text): try stringMethod(name, text, arguments)
      case .list(let list): try listMethod(name, list, value.origin, arguments)
      case .tuple(let list): try tupleMethod(name, list, value.origin, arguments)
      case .dict(let dict): try dictMethod(name, dict, value.origin, arguments)
      case .loop(let loop): try loopMethod(name, loop, arguments)
      default: nil
      }
    guard let result else {
      throw TemplateError(
        .unsupported, "unsupported: the method '\(name)' of a value of type \(value.typeName)")
    }
    return result
  }

  private func loopMethod(
    _ name: String, _ loop: LoopObject, _ arguments: Arguments
  ) throws(TemplateError) -> Value? {
    let values = arguments.positional
    if name == "cycle" {
      if values.isEmpty { throw TemplateError(.wrongValue, "nothing to cycle through") }
      return values[loop.index % values.count]
    }
    let arguments = try ListObject(values)
    defer { loop.lastChanged = values }
    guard let last = loop.lastChanged, arguments.nesting > 0, last.count == values.count else {
      return Value(true)
    }
    for (value, lastValue) in zip(values, last)
    where try !value.isEqual(to: lastValue, budget) {
      return Value(true)
    }
    return Value(false)
  }

  private func listMethod(
    _ name: String, _ list: ListObject, _ origin: Origin, _ arguments: Arguments
  ) throws(TemplateError) -> Value? {
    let count = list.elements.count
    func place(_ index: Int) -> Int { index < 0 ? index.addingSaturating(count) : index }
    try budget.step(count / 64)
    register(list)
    switch name {
    case "append":
      let element = try arguments.value(for: "object")
      try list.include(element)
      try budget.spend(elements: 1)
      list.elements.append(element)
    case "extend":
      let elements = try elements(of: try arguments.value(for: "iterable"))
      for element in elements { try list.include(element) }
      try budget.spend(elements: elements.count)
      list.elements += elements
    case "insert":
      let values = try arguments.values(for: "index", "object", requiredCount: 2)
      guard let index = try arguments.integer(values[0]), let element = values[1] else {
        throw TemplateError(.wrongValue, "'insert' wants an index and a value")
      }
      try list.include(element)
      try budget.spend(elements: 1)
      list.elements.insert(element, at: min(max(place(index), 0), count))
    case "pop":
      let index = try arguments.integer(try arguments.values(for: "index")[0]) ?? -1
      guard (0..<count).contains(place(index)) else {
        throw TemplateError(.wrongValue, "'pop' of an index outside of the list")
      }
      return list.elements.remove(at: place(index))
    case "remove":
      let element = try arguments.value(for: "value")
      guard let index = try index(of: element, in: list.elements) else {
        throw TemplateError(.wrongValue, "'remove' of a value that is not in the list")
      }
      list.elements.remove(at: index)
    case "reverse": list.elements.reverse()
    case "clear": list.elements = []
    case "copy": return try paid(try Value(list: list.elements, origin))
    case "sort":
      let reverse = try arguments.values(for: "reverse")[0]?.isTrue ?? false
      list.elements = try sorted(list.elements, by: list.elements, reverse: reverse)
    default: return try tupleMethod(name, list, origin, arguments)
    }
    return .null
  }

  private func tupleMethod(
    _ name: String, _ list: ListObject, _ origin: Origin, _ arguments: Arguments
  ) throws(TemplateError) -> Value? {
    let element = try arguments.value(for: "value")
    if name == "index" {
      guard let index = try index(of: element, in: list.elements) else {
        throw TemplateError(.wrongValue, "'index' of a value that is not there")
      }
      return Value(index, origin)
    }
    guard name == "count" else { return nil }
    var count = 0
    for candidate in list.elements where try candidate.isEqual(to: element, budget) { count += 1 }
    return Value(count, origin)
  }

  private func index(of element: Value, in elements: [Value]) throws(TemplateError) -> Int? {
    for (index, candidate) in elements.enumerated()
    where try candidate.isEqual(to: element, budget) {
      return index
    }
    return nil
  }

  private func dictMethod(
    _ name: String, _ dict: DictObject, _ origin: Origin, _ arguments: Arguments
  ) throws(TemplateError) -> Value? {
    switch name {
    case "get", "setdefault":
      let values = try arguments.values(for: "key", "default", requiredCount: 1)
      let key = values[0] ?? .null
      if let value = dict.value(for: try Key(key, budget)) { return value }
      let value = values[1] ?? Value(.null, origin)
      if name == "setdefault" {
        register(dict)
        try budget.spend(elements: 2)
        try dict.set(key, to: value, budget)
      }
      return value
    case "items":
      try arguments.checkEmpty()
      return try items(of: dict, origin)
    case "keys": return try paid(try Value(list: dict.keys, origin))
    case "values": return try paid(try Value(list: dict.values, origin))
    case "pop":
      let values = try arguments.values(for: "key", "default", requiredCount: 1)
      try budget.step(dict.count / 8)
      if let removed = dict.remove(try Key(values[0] ?? .null, budget)) { return removed.value }
      if let value = values[1] { return value }
      throw TemplateError(.wrongValue, "'pop' of a key that is not in the dict")
    case "update":
      register(dict)
      if let other = arguments.positional.first { try add(other, to: dict) }
      for (name, value) in arguments.named {
        try dict.set(Value(Text(name, .template)), to: value, budget)
      }
      return .null
    case "copy":
      let copy = DictObject()
      try add(Value(.dict(dict)), to: copy)
      return Value(.dict(copy), origin)
    case "clear":
      dict.removeAll()
      return .null
    default: return nil
    }
  }

  /// Pairs of keys and values.
  func items(of dict: DictObject, _ origin: Origin) throws(TemplateError) -> Value {
    try budget.spend(elements: 3 * dict.count)
    var pairs: [Value] = []
    pairs.reserveCapacity(dict.count)
    for (key, value) in zip(dict.keys, dict.values) {
      pairs.append(try Value(tuple: [key, value], origin))
    }
    return try Value(list: pairs, origin)
  }
}
