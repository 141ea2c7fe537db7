/// A value of a running template, as Python has it, with who it comes from.
struct Value {
  enum Kind {
    /// Nothing of that name: prints as nothing, and is an error in most uses. The sentence says
    /// what is undefined.
    case undefined(String)
    case null
    case bool(Bool)
    case integer(Int)
    /// An integer of a JSON text that doesn't fit 64 bits: it can be printed, not computed with.
    case numeral(String)
    case float(Double)
    case string(Text)
    case list(ListObject)
    case tuple(ListObject)
    case dict(DictObject)
    case namespace(DictObject)
    case loop(LoopObject)
    case macro(MacroObject)
    case function(Function)
    case joiner(JoinerObject)
    /// A method that is not called where it is named: only its being there can be asked for.
    case method(String)
  }

  let kind: Kind
  /// A string's is that of its least trusted character.
  let origin: Origin

  init(_ kind: Kind, _ origin: Origin = .template) {
    self.kind = kind
    self.origin = origin
  }

  init(_ text: Text) { self.init(.string(text), text.origin) }

  init(_ bool: Bool, _ origin: Origin = .template) { self.init(.bool(bool), origin) }

  init(_ integer: Int, _ origin: Origin) { self.init(.integer(integer), origin) }

  /// A list, whose origin is that of its brackets and its length.
  init(list elements: [Value], _ origin: Origin) throws(TemplateError) {
    self.init(.list(try ListObject(elements)), origin)
  }

  init(tuple elements: [Value], _ origin: Origin) throws(TemplateError) {
    self.init(.tuple(try ListObject(elements)), origin)
  }

  static func undefined(_ problem: String) -> Value { Value(.undefined(problem)) }

  static var null: Value { Value(.null) }

  var isUndefined: Bool { if case .undefined = kind { true } else { false } }

  var isNull: Bool { if case .null = kind { true } else { false } }

  var text: Text? { if case .string(let text) = kind { text } else { nil } }

  var dict: DictObject? { if case .dict(let dict) = kind { dict } else { nil } }

  /// A list's or a tuple's elements.
  var elements: [Value]? {
    switch kind {
    case .list(let list), .tuple(let list): list.elements
    default: nil
    }
  }

  /// The integer that the value is in Python, where true is 1; nil for other values.
  var integer: Int? {
    switch kind {
    case .integer(let integer): integer
    case .bool(let bool): bool ? 1 : 0
    default: nil
    }
  }

  /// The number as a float; nil for what is no number, and for numbers of more than 64 bits.
  var double: Double? {
    if case .float(let double) = kind { return double }
    return integer.map(Double.init)
  }

  /// What counts as true.
  var isTrue: Bool {
    switch kind {
    case .undefined, .null: false
    case .bool(let bool): bool
    case .integer(let integer): integer != 0
    case .float(let double): double != 0
    case .string(let text): !text.isEmpty
    case .list(let list), .tuple(let list): !list.elements.isEmpty
    case .dict(let dict): dict.count > 0
    case .numeral, .namespace, .loop, .macro, .function, .joiner, .method: true
    }
  }

  /// What the value is called in Python.
  var typeName: String {
    switch kind {
    case .undefined: "undefined"
    case .null: "None"
    case .bool: "bool"
    case .integer, .numeral: "int"
    case .float: "float"
    case .string: "str"
    case .list: "list"
    case .tuple: "tuple"
    case .dict: "dict"
    case .namespace: "namespace"
    case .loop: "loop"
    case .macro: "macro"
    case .function, .method: "function"
    case .joiner: "joiner"
    }
  }

  /// How deep values lie in the value.
  var nesting: Int {
    switch kind {
    case .list(let list), .tuple(let list): list.nesting
    case .dict(let dict), .namespace(let dict): dict.nesting
    case .loop(let loop): loop.nesting
    default: 0
    }
  }
}
