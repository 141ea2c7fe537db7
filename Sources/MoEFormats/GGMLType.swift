/// The geometry of an element format that a GGUF file may hold, by its number in the file.
///
/// This table knows every format that ggml has numbered, also those that no kernel here computes
/// with, so that any file can be listed. Numbers that ggml has withdrawn, and those of its forks,
/// are in `ForeignFormat`.
package struct GGMLType: Sendable, Hashable, CustomStringConvertible {
  /// The number in the file.
  package let id: UInt32
  /// As GGUF tools print it, for example `Q4_K`.
  package let name: String
  package let blockElementCount: Int
  package let blockByteCount: Int

  private init(_ id: UInt32, _ name: String, _ blockElementCount: Int, _ blockByteCount: Int) {
    self.id = id
    self.name = name
    self.blockElementCount = blockElementCount
    self.blockByteCount = blockByteCount
  }

  package var description: String { name }

  /// Every format, by ascending number.
  package static let all: [GGMLType] = [
    f32, f16,
    GGMLType(2, "Q4_0", 32, 18), GGMLType(3, "Q4_1", 32, 20),
    GGMLType(6, "Q5_0", 32, 22), GGMLType(7, "Q5_1", 32, 24),
    q8_0, GGMLType(9, "Q8_1", 32, 36),
    GGMLType(10, "Q2_K", 256, 84), GGMLType(11, "Q3_K", 256, 110),
    q4_K, GGMLType(13, "Q5_K", 256, 176), q6_K, GGMLType(15, "Q8_K", 256, 292),
    GGMLType(16, "IQ2_XXS", 256, 66), GGMLType(17, "IQ2_XS", 256, 74),
    GGMLType(18, "IQ3_XXS", 256, 98), GGMLType(19, "IQ1_S", 256, 50),
    GGMLType(20, "IQ4_NL", 32, 18), GGMLType(21, "IQ3_S", 256, 110),
    GGMLType(22, "IQ2_S", 256, 82), GGMLType(23, "IQ4_XS", 256, 136),
    GGMLType(24, "I8", 1, 1), GGMLType(25, "I16", 1, 2),
    GGMLType(26, "I32", 1, 4), GGMLType(27, "I64", 1, 8),
    GGMLType(28, "F64", 1, 8), GGMLType(29, "IQ1_M", 256, 56), bf16,
    GGMLType(34, "TQ1_0", 256, 54), GGMLType(35, "TQ2_0", 256, 66),
    mxfp4, GGMLType(40, "NVFP4", 64, 36), GGMLType(41, "Q1_0", 128, 18),
    GGMLType(42, "Q2_0", 64, 18),
  ]

  package static let f32 = GGMLType(0, "F32", 1, 4)
  package static let f16 = GGMLType(1, "F16", 1, 2)
  package static let q8_0 = GGMLType(8, "Q8_0", 32, 34)
  package static let q4_K = GGMLType(12, "Q4_K", 256, 144)
  package static let q6_K = GGMLType(14, "Q6_K", 256, 210)
  package static let bf16 = GGMLType(30, "BF16", 1, 2)
  package static let mxfp4 = GGMLType(39, "MXFP4", 32, 17)

  /// Nil where ggml has no such number.
  package init?(id: UInt32) {
    guard let type = Self.byID[id] else { return nil }
    self = type
  }

  /// Nil where no format has the name, for example `Q4_K`.
  package init?(name: String) {
    guard let type = Self.all.first(where: { $0.name == name }) else { return nil }
    self = type
  }

  private static let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })

  /// Bytes of a tensor whose rows are `shape[0]` elements, each row in whole blocks.
  ///
  /// Nil where a dimension is below one, a row is not in whole blocks, or the count exceeds `Int`.
  package func byteCount(shape: [Int]) -> Int? {
    guard let columnCount = shape.first, columnCount > 0, columnCount % blockElementCount == 0
    else { return nil }
    var count = columnCount / blockElementCount
    for factor in shape.dropFirst() + [blockByteCount] {
      let (product, overflow) = count.multipliedReportingOverflow(by: factor)
      guard factor > 0, !overflow else { return nil }
      count = product
    }
    return count
  }
}
