/// A metadata value with the exact type that it has in a GGUF file.
package indirect enum GGUFValue: Sendable {
  case uint8(UInt8)
  case int8(Int8)
  case uint16(UInt16)
  case int16(Int16)
  case uint32(UInt32)
  case int32(Int32)
  case uint64(UInt64)
  case int64(Int64)
  case float32(Float)
  case float64(Double)
  case bool(Bool)
  case string(String)
  /// A string of any bytes.
  case bytes([UInt8])
  /// Elements of the type of the first; an empty array is of `uint8`.
  case array([GGUFValue])

  package static func strings(_ strings: [String]) -> GGUFValue {
    .array(strings.map { .string($0) })
  }

  var typeID: UInt32 {
    switch self {
    case .uint8: 0
    case .int8: 1
    case .uint16: 2
    case .int16: 3
    case .uint32: 4
    case .int32: 5
    case .float32: 6
    case .bool: 7
    case .string, .bytes: 8
    case .array: 9
    case .uint64: 10
    case .int64: 11
    case .float64: 12
    }
  }

  func append(to output: inout [UInt8]) {
    switch self {
    case .uint8(let value): output.append(value)
    case .int8(let value): output.appendLittleEndian(value)
    case .uint16(let value): output.appendLittleEndian(value)
    case .int16(let value): output.appendLittleEndian(value)
    case .uint32(let value): output.appendLittleEndian(value)
    case .int32(let value): output.appendLittleEndian(value)
    case .uint64(let value): output.appendLittleEndian(value)
    case .int64(let value): output.appendLittleEndian(value)
    case .float32(let value): output.appendLittleEndian(value.bitPattern)
    case .float64(let value): output.appendLittleEndian(value.bitPattern)
    case .bool(let value): output.append(value ? 1 : 0)
    case .string(let value): output.appendGGUFString(Array(value.utf8))
    case .bytes(let value): output.appendGGUFString(value)
    case .array(let values):
      output.appendLittleEndian(values.first?.typeID ?? 0)
      output.appendLittleEndian(UInt64(values.count))
      for value in values { value.append(to: &output) }
    }
  }
}

extension [UInt8] {
  package mutating func appendLittleEndian<T: FixedWidthInteger>(_ value: T) {
    for shift in stride(from: 0, to: T.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: shift)))
    }
  }

  package mutating func appendGGUFString(_ bytes: [UInt8]) {
    appendLittleEndian(UInt64(bytes.count))
    append(contentsOf: bytes)
  }
}
