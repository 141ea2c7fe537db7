package import MoECore
package import MoEKernels
package import MoEStore

/// What a part of an expert is for.
///
/// A gated feed-forward expert (SwiGLU, arXiv 2002.05202) has three matrices. Files may keep gate
/// and up as one, an expert without a gate has none, and each matrix may have a bias.
package enum ExpertPartRole: Sendable, Hashable, CaseIterable {
  case gate, up
  /// Gate and up in one matrix: first the gate's rows, then up's.
  case gateUp
  case down
  case gateBias, upBias
  /// The gate's bias, then up's.
  case gateUpBias
  case downBias

  /// Its number in bundles: never given twice.
  package var number: UInt32 {
    switch self {
    case .gate: 1
    case .up: 2
    case .gateUp: 3
    case .down: 4
    case .gateBias: 5
    case .upBias: 6
    case .gateUpBias: 7
    case .downBias: 8
    }
  }

  /// Whether it is a matrix that rows are multiplied with; the others are vectors of 32-bit floats.
  package var isMatrix: Bool {
    switch self {
    case .gate, .up, .gateUp, .down: true
    case .gateBias, .upBias, .gateUpBias, .downBias: false
    }
  }
}

/// One part of each expert of a layer: what it is, where its bytes are stored, and what it takes in
/// memory.
package struct ExpertPart: Sendable, Hashable {
  /// Where the bytes of all experts' parts are.
  package enum Storage: Sendable, Hashable {
    /// One tensor in which the experts follow each other.
    case stack(FileExtent)
    /// A tensor for each expert, by its index.
    case single([FileExtent])
  }

  package let role: ExpertPartRole
  /// The tensor's name in the file; of tensors for single experts, with `*` for the expert.
  package let name: String
  package let format: QuantFormat
  /// (row, column); a vector is one row.
  package let rowCount: Int
  package let columnCount: Int
  package let storage: Storage
  /// What is done with the stored bytes once they have arrived; nil: nothing.
  package let conversion: StoredConversion?
  /// Where the scales of all experts are, of a conversion that wants some.
  package let scales: Storage?
  /// Bytes of one expert's part once it is in memory.
  package let slotByteCount: Int
  package let expertCount: Int

  /// Sizes have been checked against the file's header: the experts' parts are all of one size.
  package init(
    _ role: ExpertPartRole, name: String, format: QuantFormat, rowCount: Int, columnCount: Int,
    storage: Storage, conversion: StoredConversion? = nil, scales: Storage? = nil
  ) {
    precondition(rowCount > 0 && columnCount > 0)
    let isFloat = format.blockElementCount == 1 && format.blockByteCount == 4
    precondition(role.isMatrix || (rowCount == 1 && isFloat))
    let size = rowCount * format.rowByteCount(columnCount: columnCount)
    let stored = conversion?.storedByteCounts(
      rowCount: rowCount, columnCount: columnCount, format)
    expertCount = storage.expertCount(size: stored?.main ?? size)
    if let scales, let stored {
      precondition(scales.expertCount(size: stored.scales) == expertCount)
    }
    precondition((scales == nil) == (stored?.scales ?? 0 == 0))
    self.conversion = conversion
    self.scales = scales
    self.role = role
    self.name = name
    self.format = format
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.storage = storage
    slotByteCount = size
  }

  /// What codecs code of one expert.
  package var shape: CodedShape {
    CodedShape(format: format, rowCount: rowCount, columnCount: columnCount)
  }

  /// Bytes of one expert's part in the file.
  package var storedByteCount: Int {
    extent(ofExpert: 0).byteCount + (scales?.extent(ofExpert: 0, of: expertCount).byteCount ?? 0)
  }

  /// Where one expert's part is stored, but for scales.
  package func extent(ofExpert expert: Int) -> FileExtent {
    storage.extent(ofExpert: expert, of: expertCount)
  }

  /// Pieces that one expert's part is read in.
  package var extentCount: Int { scales == nil ? 1 : 2 }

  /// Where a piece is stored.
  package func extent(_ number: Int, ofExpert expert: Int) -> FileExtent {
    number == 0 ? extent(ofExpert: expert) : scalesExtent(ofExpert: expert)
  }

  private func scalesExtent(ofExpert expert: Int) -> FileExtent {
    guard let scales else { preconditionFailure("a part without scales is one piece") }
    return scales.extent(ofExpert: expert, of: expertCount)
  }

  /// Where the reads of a piece go to in an expert's region: the scales behind the rest.
  package func landingOffset(_ number: Int, ofExpert expert: Int, alignment: Int) -> Int {
    number == 0 ? 0 : Self.span(of: extent(ofExpert: expert), alignment)
  }

  /// Room for the part of an expert: for what is read, widened to whole blocks of the file, and for
  /// what is made of it in its place.
  package func regionByteCount(ofExpert expert: Int, alignment: Int) -> Int {
    let read = (0..<extentCount).reduce(0) {
      $0 + Self.span(of: extent($1, ofExpert: expert), alignment)
    }
    if conversion == nil { return read }
    return max(read, (slotByteCount + alignment - 1) / alignment * alignment)
  }

  private static func span(of extent: FileExtent, _ alignment: Int) -> Int {
    let end = extent.offset % alignment + extent.byteCount
    return (end + alignment - 1) / alignment * alignment
  }

  /// All experts' parts but for scales, as they lie in the file: one run of bytes, or one for each
  /// expert.
  package var runs: [FileExtent] {
    switch storage {
    case .stack(let extent): [extent]
    case .single(let extents): extents
    }
  }

  /// The same part in another format, for sizes and not for reading: offsets stay.
  package func converted(to format: QuantFormat) -> ExpertPart {
    let size = rowCount * format.rowByteCount(columnCount: columnCount)
    func resized(_ extent: FileExtent, count: Int) -> FileExtent {
      FileExtent(fileIndex: extent.fileIndex, offset: extent.offset, byteCount: count * size)
    }
    let storage: Storage =
      switch storage {
      case .stack(let extent): .stack(resized(extent, count: expertCount))
      case .single(let extents): .single(extents.map { resized($0, count: 1) })
      }
    return ExpertPart(
      role, name: name, format: format, rowCount: rowCount, columnCount: columnCount,
      storage: storage)
  }
}

extension ExpertPart.Storage {
  /// Experts whose pieces have so many bytes.
  fileprivate func expertCount(size: Int) -> Int {
    switch self {
    case .stack(let extent):
      precondition(extent.byteCount > 0 && extent.byteCount % size == 0)
      return extent.byteCount / size
    case .single(let extents):
      precondition(!extents.isEmpty && extents.allSatisfy { $0.byteCount == size })
      return extents.count
    }
  }

  fileprivate func extent(ofExpert expert: Int, of count: Int) -> FileExtent {
    switch self {
    case .stack(let extent): extent.part(expert, of: count)
    case .single(let extents): extents[expert]
    }
  }
}
