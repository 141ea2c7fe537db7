extension Value {
  /// Whether the values are equal as in Python, whatever they come from.
  func isEqual(to other: Value, _ budget: Budget) throws(TemplateError) -> Bool {
    try budget.enter()
    defer { budget.leave() }
    switch (kind, other.kind) {
    case (.undefined, .undefined), (.null, .null): return true
    case (.string(let text), .string(let otherText)):
      try budget.step(text.count / 64)
      return text == otherText
    case (.numeral(let digits), .numeral(let otherDigits)): return digits == otherDigits
    case (.list(let list), .list(let otherList)), (.tuple(let list), .tuple(let otherList)):
      guard list.elements.count == otherList.elements.count else { return false }
      for (element, otherElement) in zip(list.elements, otherList.elements)
      where try !element.isEqual(to: otherElement, budget) {
        return false
      }
      return true
    case (.dict(let dict), .dict(let otherDict)):
      guard dict.count == otherDict.count else { return false }
      for (key, value) in zip(dict.keys, dict.values) {
        guard let otherValue = otherDict.value(for: try Key(key, budget)),
          try value.isEqual(to: otherValue, budget)
        else { return false }
      }
      return true
    default: return isSame(as: other) || hasEqualNumber(as: other)
    }
  }

  private func hasEqualNumber(as other: Value) -> Bool {
    if let integer, let otherInteger = other.integer { return integer == otherInteger }
    // An integer equals a float only where the float is exactly that integer.
    if let integer, case .float(let double) = other.kind { return Int(exactly: double) == integer }
    if let integer = other.integer, case .float(let double) = kind {
      return Int(exactly: double) == integer
    }
    guard case .float(let first) = kind, case .float(let second) = other.kind else { return false }
    return first == second
  }

  /// Whether the values are one object, or one of the values of which there is only one.
  func isSame(as other: Value) -> Bool {
    switch (kind, other.kind) {
    case (.null, .null): true
    case (.bool(let bool), .bool(let otherBool)): bool == otherBool
    case (.list(let object), .list(let otherObject)),
      (.tuple(let object), .tuple(let otherObject)):
      object === otherObject
    case (.dict(let object), .dict(let otherObject)),
      (.namespace(let object), .namespace(let otherObject)):
      object === otherObject
    case (.macro(let object), .macro(let otherObject)): object === otherObject
    case (.loop(let object), .loop(let otherObject)): object === otherObject
    case (.joiner(let object), .joiner(let otherObject)): object === otherObject
    case (.function(let function), .function(let otherFunction)): function == otherFunction
    default: false
    }
  }

  /// Whether the value comes before another. Throws where Python doesn't order them.
  func isLess(than other: Value, _ budget: Budget) throws(TemplateError) -> Bool {
    try budget.enter()
    defer { budget.leave() }
    switch (kind, other.kind) {
    case (.string(let text), .string(let otherText)):
      try budget.step(text.count / 64)
      return text.precedes(otherText)
    case (.list(let list), .list(let otherList)), (.tuple(let list), .tuple(let otherList)):
      for (element, otherElement) in zip(list.elements, otherList.elements)
      where try !element.isEqual(to: otherElement, budget) {
        return try element.isLess(than: otherElement, budget)
      }
      return list.elements.count < otherList.elements.count
    default:
      if let integer, let otherInteger = other.integer { return integer < otherInteger }
      if let double, let otherDouble = other.double { return double < otherDouble }
      if case .undefined(let problem) = kind { throw TemplateError(.wrongValue, problem) }
      if case .undefined(let problem) = other.kind { throw TemplateError(.wrongValue, problem) }
      throw TemplateError(
        .wrongValue, "values of types \(typeName) and \(other.typeName) have no order")
    }
  }

  /// Whether `element` is in the value, as Python's `in` says.
  func contains(_ element: Value, _ budget: Budget) throws(TemplateError) -> Bool {
    switch kind {
    case .string(let text):
      guard let part = element.text else {
        throw TemplateError(
          .wrongValue, "'in' a string wants a string, not a value of type \(element.typeName)")
      }
      try budget.step((text.count + part.count) / 64)
      return text.contains(part)
    case .dict(let dict): return dict.value(for: try Key(element, budget)) != nil
    case .undefined: return false
    default:
      guard let elements else {
        throw TemplateError(.wrongValue, "a value of type \(typeName) has nothing in it")
      }
      for candidate in elements where try candidate.isEqual(to: element, budget) { return true }
      return false
    }
  }
}

extension Array {
  /// Sorted by merging, so that equal elements keep their order and a comparison may throw.
  func stablySorted(
    by isLess: (Element, Element) throws(TemplateError) -> Bool
  ) throws(TemplateError) -> [Element] {
    if count < 2 { return self }
    var source = self
    var width = 1
    while width < count {
      var merged: [Element] = []
      merged.reserveCapacity(count)
      for start in stride(from: 0, to: count, by: 2 * width) {
        let middle = Swift.min(start + width, count)
        let end = Swift.min(start + 2 * width, count)
        var (left, right) = (start, middle)
        while left < middle && right < end {
          if try isLess(source[right], source[left]) {
            merged.append(source[right])
            right += 1
          } else {
            merged.append(source[left])
            left += 1
          }
        }
        merged += source[left..<middle]
        merged += source[right..<end]
      }
      source = merged
      width *= 2
    }
    return source
  }
}
