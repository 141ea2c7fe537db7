package import MoECore
package import MoEKernels
package import MoEStore

/// How copies of experts in fewer bits are made.
package struct LowCopy {
  package let name: String
  /// The format of a part's copy; that of the part where it is a vector, or has rows that the
  /// format cannot keep.
  let format: (CodedShape) -> QuantFormat
  /// The part's copy, in that format.
  let make: (_ part: ByteView, CodedShape) throws -> [UInt8]

  package init(
    name: String, format: @escaping (CodedShape) -> QuantFormat,
    make: @escaping (_ part: ByteView, CodedShape) throws -> [UInt8]
  ) {
    self.name = name
    self.format = format
    self.make = make
  }

  func shape(of part: CodedShape) -> CodedShape {
    CodedShape(
      format: format(part), rowCount: part.rowCount, columnCount: part.columnCount)
  }
}

/// One record of a bundle that is packed.
struct PackItem: Hashable {
  let expert: ExpertID
  let isLow: Bool
}
