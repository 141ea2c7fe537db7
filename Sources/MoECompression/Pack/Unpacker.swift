package import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEPlatform
package import MoEStore

/// Makes the model's own files of a bundle again, byte for byte.
///
/// The files are written beside their places, without a name where the file system allows that, and
/// take their places when all of them are on the disk. Memory holds a record, one of its parts, and
/// a piece of what is in no record.
package final class Unpacker {
  /// Where the files are written, in the model's order.
  package let paths: [String]
  private let bundle: Bundle
  private let records: RecordReader
  /// Where each expert's parts are in the model's own files.
  private let experts: ExpertLayout
  /// Who has what is in no record, and what that is.
  private let plainReader: ExtentReader
  private let plainRuns: [PlainRun]
  private let cancellation: CancellationFlag?
  private var doneByteCount = 0

  /// Bytes that are in no record.
  private struct PlainRun {
    /// In the model's own files.
    var target: FileExtent
    /// In the files of `plainReader`.
    var source: FileExtent
    /// Nil where nothing but the disk answers for them.
    var checksum: UInt32?
  }

  /// - Parameters:
  ///   - model: What the bundle was packed of; nil where it has all of it.
  ///   - path: The file to write; of a model of several files, the name that theirs are made of.
  ///   - replaces: Whether what is there may be replaced.
  package init(
    _ bundle: Bundle, model: PackSource?, to path: String, replaces: Bool = false,
    threadCount: Int, cancellation: CancellationFlag? = nil
  ) throws(PackError) {
    self.bundle = bundle
    self.cancellation = cancellation
    records = try RecordReader(bundle, threadCount: threadCount)
    if let model {
      try model.requireGGUF()
      do {
        try bundle.check(isOf: model.files)
      } catch {
        throw .bundle(error)
      }
      experts = model.experts
      plainReader = model.reader
      plainRuns = try Self.plainRuns(of: bundle, experts, tensors: model.tensors).map {
        PlainRun(target: $0, source: $0)
      }
    } else {
      let model: BundledModel
      do {
        model = try BundledModel(path: bundle.file.path)
      } catch {
        throw .format(error)
      }
      experts = try PackSource.description(of: model.original).experts
      plainReader = records.reader
      let extents = try Self.plainRuns(
        of: bundle, experts, tensors: model.original.tensors.map(\.extent))
      guard bundle.ranges.map(\.extent) == extents else {
        throw .bundle(.damagedTable(path: bundle.file.path))
      }
      plainRuns = bundle.ranges.map {
        PlainRun(target: $0.extent, source: $0.stored, checksum: $0.checksum)
      }
    }
    paths = ShardName.paths(ofModelAt: path, count: bundle.marks.count)
    if !replaces, let taken = paths.first(where: { FileStatus(path: $0) != nil }) {
      throw .exists(path: taken)
    }
  }

  /// What the model's own files have besides the records' experts, which must be those of the model
  /// as it is.
  private static func plainRuns(
    of bundle: Bundle, _ experts: ExpertLayout, tensors: [FileExtent]
  ) throws(PackError) -> [FileExtent] {
    let layers = bundle.layers.filter { !$0.isLow }
    for layer in layers {
      guard experts.layers.indices.contains(layer.number),
        experts.layers[layer.number].expertCount == layer.records.count
      else { throw .bundle(.damagedTable(path: bundle.file.path)) }
      let parts = experts.layers[layer.number].bundleParts
      guard parts != layer.parts else { continue }
      let isOtherFormat = parts.map(\.withoutFormat) == layer.parts.map(\.withoutFormat)
      throw isOtherFormat
        ? .lossy(path: bundle.file.path, layer: layer.number)
        : .bundle(.damagedTable(path: bundle.file.path))
    }
    return PlainExtents.all(
      fileByteCounts: bundle.marks.map(\.byteCount), tensors: tensors,
      besides: layers.map { experts.layers[$0.number] })
  }

  /// Bytes of all files together.
  package var byteCount: Int { bundle.marks.reduce(0) { $0 + $1.byteCount } }

  /// Writes the files.
  ///
  /// - Parameter progress: Called with the bytes that are done, and all.
  package func unpack(
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(PackError) {
    doneByteCount = 0
    var files: [ReplacementFile] = []
    do throws(FileError) {
      for path in paths { files.append(try ReplacementFile(path)) }
      // They go to one folder.
      try files.first?.checkRoom(for: byteCount)
    } catch {
      throw PackError(error)
    }
    try writePlainRuns(to: files, progress)
    try writeExperts(to: files, progress)
    try records.reader.requireUnchanged()
    try plainReader.requireUnchanged()
    do throws(FileError) {
      for file in files { try file.commit() }
    } catch {
      throw PackError(error)
    }
  }

  private func writePlainRuns(
    to files: [ReplacementFile], _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(PackError) {
    let buffer = try AlignedBuffer.forPacking(byteCount: ExtentReader.pieceBufferByteCount)
    for run in plainRuns {
      var checksum: UInt32 = 0
      try plainReader.forEachPiece(of: run.source, through: buffer) {
        offset, bytes throws(PackError) in
        if run.checksum != nil { checksum = CRC32C.checksum(bytes, after: checksum) }
        var target = run.target
        target.offset += offset
        try write(bytes, to: target, of: files, progress)
      }
      guard run.checksum == nil || run.checksum == checksum else {
        throw .bundle(.damagedRange(path: bundle.file.path, run.source))
      }
    }
  }

  /// In the order in which the records lie in the bundle.
  private func writeExperts(
    to files: [ReplacementFile], _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(PackError) {
    for layer in bundle.layers where !layer.isLow {
      let order = layer.records.indices.sorted {
        layer.records[$0].extent.offset < layer.records[$1].extent.offset
      }
      for expert in order {
        let isSound = try records.forEachPart(of: expert, in: layer) {
          number, bytes throws(PackError) in
          let target = experts.layers[layer.number].extent(part: number, expert: expert)
          try write(bytes, to: target, of: files, progress)
        }
        guard isSound else {
          throw .bundle(
            .damagedExpert(path: bundle.file.path, layer: layer.number, expert: expert))
        }
      }
    }
  }

  private func write(
    _ bytes: ByteView, to target: FileExtent, of files: [ReplacementFile],
    _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(PackError) {
    if cancellation?.isCancelled ?? false { throw .stopped }
    let file = files[target.fileIndex]
    do throws(FileError) {
      try unsafe file.write(
        UnsafeRawBufferPointer(start: bytes.pointer, count: bytes.count), at: target.offset)
    } catch {
      throw PackError(error)
    }
    let before = doneByteCount
    doneByteCount += bytes.count
    if before / Self.flushByteCount != doneByteCount / Self.flushByteCount {
      for (file, mark) in zip(files, bundle.marks) { file.flush(byteCount: mark.byteCount) }
    }
    progress(doneByteCount, byteCount)
  }

  /// As much as the kernel is given to write at a time.
  private static let flushByteCount = 64 << 20
}
