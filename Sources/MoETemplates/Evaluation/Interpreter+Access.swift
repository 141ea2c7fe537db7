extension Interpreter {
  /// `value.name`.
  func attribute(_ name: String, of value: Value) throws(TemplateError) -> Value {
    switch value.kind {
    case .undefined(let problem):
      throw TemplateError(.wrongValue, "\(problem), so it has no '\(name)'")
    case .dict(let dict):
      if value.hasMethod(name) { return Value(.method(name)) }
      if let member = dict.value(named: Text(name, .template)) { return member }
    case .namespace(let dict):
      if let member = dict.value(named: Text(name, .template)) { return member }
    case .loop(let loop):
      if let member = loop.member(name) { return member }
    case .macro(let macro):
      if name == "name" { return Value(Text(macro.macro.name, .template)) }
    default: break
    }
    if value.hasMethod(name) { return Value(.method(name)) }
    return .undefined("a value of type \(value.typeName) has no '\(name)'")
  }

  /// `value[index]`.
  func item(_ index: Value, of value: Value) throws(TemplateError) -> Value {
    switch value.kind {
    case .undefined(let problem):
      throw TemplateError(.wrongValue, "\(problem), so it has no items")
    case .list(let list), .tuple(let list):
      if let place = index.integer.flatMap({ list.elements.count.place(of: $0) }) {
        return list.elements[place]
      }
    case .string(let text):
      if let place = index.integer.flatMap({ text.count.place(of: $0) }) {
        return Value(Text([text.letters[place]]))
      }
    case .dict(let dict):
      if index.canBeKey, let member = dict.value(for: try Key(index, budget)) { return member }
    default: break
    }
    if let name = index.text?.string {
      if value.dict == nil { return try attribute(name, of: value) }
      if value.hasMethod(name) { return Value(.method(name)) }
    }
    let wanted = try ValuePrinter.text(of: index, budget).string.prefix(100)
    return .undefined("a value of type \(value.typeName) has no item '\(wanted)'")
  }

  func slice(
    _ value: Value, _ start: Expression?, _ stop: Expression?, _ step: Expression?, _ line: Int
  ) throws(TemplateError) -> Value {
    let bounds = (try bound(start), try bound(stop), try bound(step))
    self.line = line
    switch value.kind {
    case .undefined(let problem):
      throw TemplateError(.wrongValue, "\(problem), so it has no items")
    case .string(let text):
      let places = try self.places(of: bounds, count: text.count)
      try budget.spend(letters: places.count)
      return Value(Text(places.map { text.letters[$0] }))
    case .list(let list), .tuple(let list):
      let places = try self.places(of: bounds, count: list.elements.count)
      try budget.spend(elements: places.count)
      let elements = places.map { list.elements[$0] }
      if case .tuple = value.kind { return try Value(tuple: elements, value.origin) }
      return try Value(list: elements, value.origin)
    default:
      throw TemplateError(.wrongValue, "a value of type \(value.typeName) can't be sliced")
    }
  }

  private func bound(_ expression: Expression?) throws(TemplateError) -> Int? {
    guard let expression else { return nil }
    let value = try evaluate(expression)
    if value.isNull { return nil }
    guard let integer = value.integer else {
      throw TemplateError(
        .wrongValue, "a slice wants integers, not a value of type \(value.typeName)")
    }
    return integer
  }

  /// The places that a slice takes, as Python counts them.
  private func places(
    of bounds: (start: Int?, stop: Int?, step: Int?), count: Int
  ) throws(TemplateError) -> [Int] {
    let step = bounds.step ?? 1
    if step == 0 { throw TemplateError(.wrongValue, "a slice with the step 0") }
    let lowest = step > 0 ? 0 : -1
    let highest = step > 0 ? count : count - 1
    func clamped(_ bound: Int) -> Int {
      min(max(bound < 0 ? bound.addingSaturating(count) : bound, lowest), highest)
    }
    let start = bounds.start.map(clamped) ?? (step > 0 ? lowest : highest)
    let stop = bounds.stop.map(clamped) ?? (step > 0 ? highest : lowest)
    // A step beyond the count takes one element, as one of the count does.
    let stride = min(max(step, -count - 1), count + 1)
    return Array(Swift.stride(from: start, to: stop, by: stride))
  }
}

extension Int {
  /// Where an index, counted from the end if negative, lies in so many elements; nil if outside.
  fileprivate func place(of index: Int) -> Int? {
    let place = index < 0 ? index.addingSaturating(self) : index
    return (0..<self).contains(place) ? place : nil
  }
}

extension LoopObject {
  /// What a template reads of the variable `loop`; nil where there is no such member.
  fileprivate func member(_ name: String) -> Value? {
    let count = elements.count
    return switch name {
    case "index": Value(index + 1, origin)
    case "index0": Value(index, origin)
    case "revindex": Value(count - index, origin)
    case "revindex0": Value(count - index - 1, origin)
    case "first": Value(index == 0, origin)
    case "last": Value(index == count - 1, origin)
    case "length": Value(count, origin)
    case "depth": Value(1, .template)
    case "depth0": Value(0, .template)
    case "previtem":
      index > 0 ? elements[index - 1] : .undefined("the first element has none before it")
    case "nextitem":
      index + 1 < count ? elements[index + 1] : .undefined("the last element has none behind it")
    default: nil
    }
  }
}
