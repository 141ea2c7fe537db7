package import MoECore
package import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoEPlatform
import MoEStore

/// Writes a GGUF file like another one, with tensors in other formats, or with fewer experts.
///
/// Metadata is kept byte for byte but for what says the formats and how many experts there are.
/// Tensors come in their order, one behind the other as readers want them. The file is written
/// beside its place, under its name with `.part` behind it, piece by piece, and takes its place
/// when all of it is on the disk; an interrupted run is gone on with if source, plan and recipe are
/// the same. Memory holds a few pieces of at most 8 MiB, besides what experts take.
package final class QuantizedModelWriter {
  package let source: QuantizationSource
  package let plan: QuantizationPlan
  package let path: String
  let quantizer: MatrixQuantizer
  private let recipe: String
  private let header: WrittenHeader
  private let pieces: [Piece]
  private let cancellation: CancellationFlag?
  /// The floats of the expert that is rounded.
  var floats: (layer: Int, expert: ExpertFloats)?

  private struct Piece {
    let work: WrittenTensor.Work
    let tensor: String
    /// In the file.
    let extent: Range<Int>
  }

  /// What was written.
  package struct Result: Sendable {
    package var byteCount = 0
    package var pieceCount = 0
    /// Pieces that an earlier run had written.
    package var resumedCount = 0
  }

  /// - Parameter recipe: All that the experts' bytes depend on besides the source and the plan: the
  ///   method with its numbers, a checksum of the calibration text.
  package init(
    _ source: QuantizationSource, _ plan: QuantizationPlan, to path: String, recipe: String,
    quantizer: MatrixQuantizer, cancellation: CancellationFlag? = nil
  ) throws(QuantizeError) {
    self.source = source
    self.plan = plan
    self.path = path
    self.recipe = recipe
    self.quantizer = quantizer
    self.cancellation = cancellation
    try source.checkIsOther(path)
    let tensors = WrittenTensor.all(plan, source)
    let header = try WrittenHeader(tensors, plan, source)
    self.header = header
    pieces = zip(tensors, header.offsets).flatMap { tensor, offset in
      tensor.pieces.map { piece in
        let start = offset + piece.offset
        return Piece(
          work: piece.work, tensor: tensor.name, extent: start..<start + piece.byteCount)
      }
    }
    try checkHeader()
  }

  /// Size of the file that is written.
  package var byteCount: Int { header.fileByteCount }

  /// Parts of experts that somebody has to make, by the expert's number in the source.
  package var expertParts: [ExpertID: [ExpertPartRole]] {
    var parts: [ExpertID: [ExpertPartRole]] = [:]
    for case .expert(let expert, let role) in pieces.map(\.work) {
      parts[expert, default: []].append(role)
    }
    return parts
  }

  /// The encoder of an expert's part; nil where it stays in its format.
  package func encoder(of role: ExpertPartRole, _ expert: ExpertID) -> BlockEncoder? {
    let part = source.experts.layers[expert.layer].parts.first { $0.role == role }
    let name = part?.tensorNames.first { $0.expert == nil || $0.expert == expert.index }?.name
    return name.flatMap { plan.encoders[$0] }
  }

  /// Refuses a header that this program itself would not read.
  private func checkHeader() throws(QuantizeError) {
    let parsed: GGUFHeader
    do throws(FormatError) {
      parsed = try GGUFHeader(
        bytes: header.bytes, fileByteCount: header.fileByteCount, path: path)
    } catch {
      throw .format(error)
    }
    do throws(ModelError) {
      let metadata = HeaderMetadata(sourceName: path, metadata: parsed.metadata)
      let description = try ArchitectureRegistry.describe(
        metadata: metadata, tensors: parsed.tensors)
      _ = try ModelTensors(description: description, tensors: parsed.tensors, file: path)
    } catch {
      throw .model(error)
    }
  }

  private struct HeaderMetadata: MetadataSource {
    let sourceName: String
    let metadata: GGUFMetadata
    func value(forKey key: String) -> MetadataValue? { metadata[key] }
    func storedArray(forKey key: String) -> StoredArray? { metadata.storedArray(forKey: key) }
  }

  // MARK: - Writing

  /// What makes an expert's parts: the bytes of each that `expertParts` names.
  package typealias ExpertMaker =
    (_ expert: ExpertID) throws(QuantizeError) -> [ExpertPartRole: [UInt8]]

  /// Writes the file.
  ///
  /// - Parameters:
  ///   - progress: Called with the bytes that are done, and all.
  ///   - makeExpert: Called for each expert whose parts are not there yet, in ascending order. Nil:
  ///     they are rounded to the nearest values.
  package func write(
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }, makeExpert: ExpertMaker? = nil
  ) throws(QuantizeError) -> Result {
    let opened = try withFileErrors { () throws(FileError) in try ResumableFile.open(path) }
    guard let file = opened else { throw .inUse(path: path) }
    let run = QuantizedModelRun(
      file: file, total: pieces.reduce(0) { $0 + $1.extent.count },
      journal: WriteJournal(
        file, recipe: try checksum(), pieceCount: pieces.count, end: header.fileByteCount))
    let isDone = try run.resume(pieces.map(\.extent), progress)
    try writeExperts(run, isDone, makeExpert ?? nearest, progress)
    for (number, piece) in pieces.enumerated() where !isDone[number] {
      if case .expert = piece.work { continue }
      try checkCancellation(file)
      try run.write(try bytes(of: piece), to: piece.extent, piece: number, progress)
    }
    try source.checkUnchanged()
    try run.commit(header.bytes, fileByteCount: header.fileByteCount)
    return Result(
      byteCount: header.fileByteCount, pieceCount: pieces.count,
      resumedCount: isDone.count { $0 })
  }

  /// Of all that the bytes of pieces depend on.
  private func checksum() throws(QuantizeError) -> UInt32 {
    let files = source.file.files.map {
      StoreFile(path: $0.path, byteCount: $0.byteCount, identity: $0.identity)
    }
    let marks = try withFileErrors { () throws(FileError) in try ModelMark.all(files) }
    var bytes = header.bytes
    for mark in marks {
      bytes.append(littleEndian: UInt64(mark.byteCount))
      bytes.append(littleEndian: mark.startChecksum)
      bytes.append(littleEndian: mark.sampleChecksum)
    }
    return CRC32C.checksum(bytes + Array(recipe.utf8))
  }

  private func writeExperts(
    _ run: QuantizedModelRun, _ isDone: [Bool], _ make: ExpertMaker,
    _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(QuantizeError) {
    var missing: [ExpertID: [(piece: Int, role: ExpertPartRole)]] = [:]
    for (number, piece) in pieces.enumerated() where !isDone[number] {
      guard case .expert(let expert, let role) = piece.work else { continue }
      missing[expert, default: []].append((number, role))
    }
    let order = missing.keys.sorted { ($0.layer, $0.index) < ($1.layer, $1.index) }
    for expert in order {
      try checkCancellation(run.file)
      let made = try make(expert)
      for (number, role) in missing[expert] ?? [] {
        let extent = pieces[number].extent
        guard let bytes = made[role], bytes.count == extent.count else {
          preconditionFailure("a part was asked for and not made")
        }
        try run.write(bytes, to: extent, piece: number, progress)
      }
    }
  }

  private func checkCancellation(_ file: ResumableFile) throws(QuantizeError) {
    if cancellation?.isCancelled ?? false { throw .cancelled(partialPath: file.partialPath) }
  }

  private func bytes(of piece: Piece) throws(QuantizeError) -> [UInt8] {
    switch piece.work {
    case .copy(let extents):
      var bytes: [UInt8] = []
      bytes.reserveCapacity(piece.extent.count)
      for extent in extents { bytes += try source.bytes(extent) }
      return bytes
    case .encode(let extent, let format, let encoder, let rowCount, let columnCount):
      return try encode(
        try source.bytes(extent), format, encoder, rowCount: rowCount, columnCount: columnCount,
        tensor: piece.tensor)
    case .expert: preconditionFailure("experts are made before")
    }
  }
}
