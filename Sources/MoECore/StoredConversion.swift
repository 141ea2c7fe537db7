/// How the bytes of a tensor in a file become those of the format that it is said to have, where
/// they are others: what files of published models have, and no product can read.
public struct StoredConversion: Hashable, Sendable {
  public enum Form: Hashable, Sendable {
    /// MXFP4 with quants and scales apart, and neighbours in one byte: to MXFP4 blocks.
    case mxfp4
    /// Floats of 8 bits (E4M3) with a scale for each 128 rows and columns: to BF16.
    case f8
    /// Columns where rows should be, in the same elements.
    case columns
    /// Floats in a format without blocks, by its number, that are to be F32.
    case floats(formatID: UInt32)
  }

  public var form: Form
  /// Whether rows belong to the matrix's first and second half in turn: a row of a gate, one of up.
  public var takesTurns: Bool

  public init(_ form: Form, takesTurns: Bool = false) {
    self.form = form
    self.takesTurns = takesTurns
  }
}
