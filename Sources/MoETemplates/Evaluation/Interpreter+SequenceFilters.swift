/// Filters that look at a value's elements.
enum SequenceFilter: String {
  case first, last, list, reverse, sort, dictsort, unique, map, select, reject, selectattr
  case rejectattr, items, batch, sum, min, max, join, groupby
}

extension Interpreter {
  func apply(
    _ filter: SequenceFilter, _ value: Value, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    switch filter {
    case .items:
      try arguments.checkEmpty()
      if value.isUndefined { return try Value(list: [], value.origin) }
      guard let dict = value.dict else {
        throw TemplateError(.wrongValue, "a value of type \(value.typeName) has no items")
      }
      return try items(of: dict, value.origin)
    case .dictsort: return try dictsort(value, arguments)
    case .reverse:
      try arguments.checkEmpty()
      if let text = value.text { return try paid(Value(text.reversed)) }
    default: break
    }
    // jinja2 goes through what is true only: none has no elements here, and is an error elsewhere.
    let isLenient = [.map, .select, .reject, .selectattr, .rejectattr].contains(filter)
    let elements = isLenient && !value.isTrue ? [] : try elements(of: value)
    try budget.step(elements.count / 16)
    switch filter {
    case .first, .last:
      try arguments.checkEmpty()
      let end = filter == .first ? elements.first : elements.last
      return end ?? .undefined("an empty sequence has no \(filter.rawValue) element")
    case .list:
      try arguments.checkEmpty()
      return try list(elements, value.origin)
    case .reverse: return try list(elements.reversed(), value.origin)
    case .sort:
      let values = try arguments.values(for: "reverse", "case_sensitive", "attribute")
      let keys = try keys(
        of: elements, arguments, attribute: values[2], isCaseSensitive: values[1])
      return try list(
        try sorted(elements, by: keys, reverse: values[0]?.isTrue ?? false), value.origin)
    case .unique: return try unique(elements, value.origin, arguments)
    case .map: return try map(elements, value.origin, arguments)
    case .select: return try select(elements, value.origin, arguments, wants: true)
    case .reject: return try select(elements, value.origin, arguments, wants: false)
    case .selectattr:
      return try select(elements, value.origin, arguments, byAttribute: true, wants: true)
    case .rejectattr:
      return try select(elements, value.origin, arguments, byAttribute: true, wants: false)
    case .batch: return try batch(elements, value.origin, arguments)
    case .sum: return try sum(elements, arguments)
    case .min, .max: return try extreme(filter, elements, arguments)
    case .join:
      let values = try arguments.values(for: "d", "attribute")
      var parts = elements
      if let attribute = values[1], !attribute.isNull {
        parts = try elements.mapped { (element) throws(TemplateError) -> Value in
          try member(attribute, of: element, arguments)
        }
      }
      let separator = try ValuePrinter.text(of: values[0] ?? Value(Text()), budget)
      return try join(parts, separator: separator, convertsValues: true)
    case .groupby: return try group(elements, value.origin, arguments)
    case .items, .dictsort: return value
    }
  }

  private func list(_ elements: [Value], _ origin: Origin) throws(TemplateError) -> Value {
    try paid(try Value(list: elements, origin))
  }

  /// What `attribute` names in a value: names and indices separated by points.
  private func member(
    _ attribute: Value, of value: Value, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    if attribute.integer != nil { return try item(attribute, of: value) }
    guard let path = attribute.text else {
      throw TemplateError(.wrongValue, "\(arguments.callee) wants the name of an attribute")
    }
    var value = value
    let point = Letter(".", .template)
    for part in path.letters.split(separator: point, omittingEmptySubsequences: false) {
      try budget.step()
      let name = Text(part)
      let index = Int(name.string).map { Value($0, .template) }
      value = try item(index ?? Value(name), of: value)
    }
    return value
  }

  /// What elements are compared by: strings without their case, unless it counts.
  private func keys(
    of elements: [Value], _ arguments: Arguments, attribute: Value?, isCaseSensitive: Value?
  ) throws(TemplateError) -> [Value] {
    let isSensitive = isCaseSensitive?.isTrue ?? false
    return try elements.mapped { (element) throws(TemplateError) -> Value in
      var key = element
      if let attribute, !attribute.isNull {
        key = try member(attribute, of: element, arguments)
      }
      guard !isSensitive, let text = key.text else { return key }
      return try paid(Value(text.lowercased))
    }
  }

  func sorted(
    _ elements: [Value], by keys: [Value], reverse: Bool
  ) throws(TemplateError) -> [Value] {
    let budget = budget
    let order = try Array(elements.indices).stablySorted {
      (first, second) throws(TemplateError) -> Bool in
      try reverse
        ? keys[second].isLess(than: keys[first], budget)
        : keys[first].isLess(than: keys[second], budget)
    }
    return order.map { elements[$0] }
  }

  private func dictsort(_ value: Value, _ arguments: Arguments) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "case_sensitive", "by", "reverse")
    let by = try arguments.text(values[1])?.string ?? "key"
    guard by == "key" || by == "value" else {
      throw TemplateError(.wrongValue, "\(arguments.callee) sorts by 'key' or 'value'")
    }
    if case .undefined(let problem) = value.kind { throw TemplateError(.wrongValue, problem) }
    guard let dict = value.dict else {
      throw TemplateError(.wrongValue, "a value of type \(value.typeName) has no items")
    }
    let keys = try keys(
      of: by == "key" ? dict.keys : dict.values, arguments, attribute: nil,
      isCaseSensitive: values[0])
    let pairs = try items(of: dict, value.origin).elements ?? []
    return try list(
      try sorted(pairs, by: keys, reverse: values[2]?.isTrue ?? false), value.origin)
  }

  private func unique(
    _ elements: [Value], _ origin: Origin, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "case_sensitive", "attribute")
    let keys = try keys(of: elements, arguments, attribute: values[1], isCaseSensitive: values[0])
    var seen: Set<Key> = []
    var chosen: [Value] = []
    for (element, key) in zip(elements, keys) where seen.insert(try Key(key, budget)).inserted {
      chosen.append(element)
    }
    return try list(chosen, origin)
  }

  private func map(
    _ elements: [Value], _ origin: Origin, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    if let name = arguments.positional.first {
      guard let name = name.text?.string else {
        throw TemplateError(.wrongValue, "the filter 'map' wants the name of a filter")
      }
      var inner = Arguments(callee: "the filter '\(name)'")
      inner.positional = Array(arguments.positional.dropFirst())
      inner.named = arguments.named
      return try list(
        try elements.mapped { (element) throws(TemplateError) -> Value in
          try budget.enter()
          defer { budget.leave() }
          return try filter(name, element, inner)
        }, origin)
    }
    let values = try arguments.values(for: "attribute", "default")
    guard let attribute = values[0] else {
      throw TemplateError(.wrongValue, "the filter 'map' wants a filter or an attribute")
    }
    return try list(
      try elements.mapped { (element) throws(TemplateError) -> Value in
        let value = try member(attribute, of: element, arguments)
        return value.isUndefined ? values[1] ?? value : value
      }, origin)
  }

  /// The elements that a test, or their being true, takes or leaves.
  private func select(
    _ elements: [Value], _ origin: Origin, _ arguments: Arguments, byAttribute: Bool = false,
    wants: Bool
  ) throws(TemplateError) -> Value {
    var rest = arguments.positional[...]
    let attribute = byAttribute ? rest.popFirst() : nil
    if byAttribute && attribute == nil {
      throw TemplateError(.wrongValue, "\(arguments.callee) wants the name of an attribute")
    }
    let name = try rest.popFirst().map { (value) throws(TemplateError) -> String in
      guard let name = value.text?.string else {
        throw TemplateError(.wrongValue, "\(arguments.callee) wants the name of a test")
      }
      return name
    }
    var inner = Arguments(callee: "the test '\(name ?? "")'")
    inner.positional = Array(rest)
    inner.named = arguments.named
    var chosen: [Value] = []
    for element in elements {
      try budget.step()
      let value =
        try attribute.map { (attribute) throws(TemplateError) -> Value in
          try member(attribute, of: element, arguments)
        } ?? element
      let holds =
        try name.map { (name) throws(TemplateError) -> Bool in
          try test(name, value, inner)
        } ?? value.isTrue
      if holds == wants { chosen.append(element) }
    }
    return try list(chosen, origin)
  }

  private func batch(
    _ elements: [Value], _ origin: Origin, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "linecount", "fill_with", requiredCount: 1)
    guard let count = try arguments.integer(values[0]), count > 0 else {
      throw TemplateError(.wrongValue, "\(arguments.callee) wants a positive count")
    }
    var rows: [Value] = []
    var rest = elements[...]
    while !rest.isEmpty {
      var row = Array(rest.prefix(count))
      rest = rest.dropFirst(count)
      if row.count < count, let filler = values[1], !filler.isNull {
        try budget.spend(elements: count)
        row += [Value](repeating: filler, count: count - row.count)
      }
      rows.append(try list(row, origin))
    }
    return try list(rows, origin)
  }

  private func sum(_ elements: [Value], _ arguments: Arguments) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "attribute", "start")
    var sum = values[1] ?? Value(0, .template)
    for element in elements {
      var value = element
      if let attribute = values[0], !attribute.isNull {
        value = try member(attribute, of: element, arguments)
      }
      sum = try calculate(.add, sum, value)
    }
    return sum
  }

  private func extreme(
    _ filter: SequenceFilter, _ elements: [Value], _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let values = try arguments.values(for: "case_sensitive", "attribute")
    let keys = try keys(of: elements, arguments, attribute: values[1], isCaseSensitive: values[0])
    guard var best = keys.indices.first else {
      return .undefined("an empty sequence has no \(filter.rawValue)")
    }
    for index in keys.indices.dropFirst() {
      let isBetter =
        filter == .min
        ? try keys[index].isLess(than: keys[best], budget)
        : try keys[best].isLess(than: keys[index], budget)
      if isBetter { best = index }
    }
    return elements[best]
  }

  /// Pairs of an attribute's value and the elements that have it, sorted by it.
  private func group(
    _ elements: [Value], _ origin: Origin, _ arguments: Arguments
  ) throws(TemplateError) -> Value {
    let values = try arguments.values(
      for: "attribute", "default", "case_sensitive", requiredCount: 1)
    var members = try keys(
      of: elements, arguments, attribute: values[0], isCaseSensitive: Value(true))
    if let fallback = values[1] {
      members = members.map { $0.isUndefined ? fallback : $0 }
    }
    let keys = try keys(of: members, arguments, attribute: nil, isCaseSensitive: values[2])
    let order = try sorted(elements.indices.map { Value($0, .template) }, by: keys, reverse: false)
      .compactMap(\.integer)
    var pairs: [Value] = []
    var start = 0
    for (count, index) in order.enumerated() {
      let next = count + 1 < order.count ? order[count + 1] : nil
      if let next, try keys[index].isEqual(to: keys[next], budget) { continue }
      let group = order[start...count].map { elements[$0] }
      let key = members[order[start]]
      pairs.append(try Value(tuple: [key, try list(group, origin)], origin))
      start = count + 1
    }
    return try list(pairs, origin)
  }
}

extension Array where Element == Value {
  fileprivate func mapped(
    _ transform: (Value) throws(TemplateError) -> Value
  ) throws(TemplateError) -> [Value] {
    var values: [Value] = []
    values.reserveCapacity(count)
    for element in self { values.append(try transform(element)) }
    return values
  }
}
