import MoECore
import MoERuntime

/// A metadata value as JSON and as text; of long arrays only the start.
struct MetadataReport: Encodable {
  let key: String
  /// `string`, `integer`, `float`, `bool`, or `array`.
  let type: String
  /// Elements of an array; absent for other types.
  let count: Int?
  let value: Value

  enum Value: Encodable {
    case string(String)
    case unsigned(UInt64)
    case signed(Int64)
    case float(Double)
    case bool(Bool)
    case array([Value])

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .string(let value): try container.encode(value)
      case .unsigned(let value): try container.encode(value)
      case .signed(let value): try container.encode(value)
      case .float(let value): try container.encode(value)
      case .bool(let value): try container.encode(value)
      case .array(let values): try container.encode(values)
      }
    }
  }

  init(_ entry: ModelInspection.Entry) {
    key = entry.key
    value = Value(entry.value)
    count = entry.elementCount
    type =
      switch entry.value {
      case .unsigned, .signed: "integer"
      case .float: "float"
      case .bool: "bool"
      case .string, .bytes: "string"
      case .array: "array"
      }
  }

  /// The value for people; text from the file is quoted and cut.
  var text: String {
    guard let count, case .array(let values) = value else { return value.text }
    let dots = count > values.count ? ", ..." : ""
    return "\(count) of [\(values.map(\.text).joined(separator: ", "))\(dots)]"
  }
}

extension MetadataReport.Value {
  fileprivate init(_ value: MetadataValue) {
    switch value {
    case .unsigned(let value): self = .unsigned(value)
    case .signed(let value): self = .signed(value)
    case .float(let value): self = .float(value)
    case .bool(let value): self = .bool(value)
    case .string(let value): self = .string(value)
    case .bytes(let bytes): self = .string(String(decoding: bytes, as: UTF8.self))
    case .array(let array): self = .array(Self.elements(of: array))
    }
  }

  private static func elements(of array: MetadataArray) -> [Self] {
    switch array {
    case .unsigned(let values): values.map { .unsigned($0) }
    case .signed(let values): values.map { .signed($0) }
    case .float(let values): values.map { .float(Double($0)) }
    case .double(let values): values.map { .float($0) }
    case .bool(let values): values.map { .bool($0) }
    case .strings(let values): (0..<values.count).map { .string(values.string(at: $0)) }
    case .nested(let values): values.map { .array(elements(of: $0)) }
    }
  }

  fileprivate var text: String {
    switch self {
    case .unsigned(let value): "\(value)"
    case .signed(let value): "\(value)"
    case .float(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let value): value.quotedForMessage
    case .array(let values): "[\(values.map(\.text).joined(separator: ", "))]"
    }
  }
}
