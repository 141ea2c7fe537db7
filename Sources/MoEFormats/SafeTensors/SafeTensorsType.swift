/// What a tensor's elements are, by the name that the format gives it.
package enum SafeTensorsType: String, Sendable, CaseIterable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u64 = "U64"
  case u32 = "U32"
  case u16 = "U16"
  case u8 = "U8"
  case bool = "BOOL"
  case f8E4M3 = "F8_E4M3"
  case f8E5M2 = "F8_E5M2"
  case f8E8M0 = "F8_E8M0"

  package var elementByteCount: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .i8, .u8, .bool, .f8E4M3, .f8E5M2, .f8E8M0: 1
    }
  }

  /// The format of a GGUF file with the same elements; nil where there is none.
  package var ggmlType: GGMLType? {
    switch self {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    case .f64: GGMLType(name: "F64")
    case .i64: GGMLType(name: "I64")
    case .i32: GGMLType(name: "I32")
    case .i16: GGMLType(name: "I16")
    case .i8: GGMLType(name: "I8")
    case .u64, .u32, .u16, .u8, .bool, .f8E4M3, .f8E5M2, .f8E8M0: nil
    }
  }

  /// Nil where an extent is below one or the count exceeds `Int`.
  package func byteCount(shape: [Int]) -> Int? {
    var count = elementByteCount
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent > 0, !overflow else { return nil }
      count = product
    }
    return count
  }
}
