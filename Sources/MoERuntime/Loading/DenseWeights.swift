import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore

/// The dense weights in memory: read once at load, straight from the model's files into one block.
///
/// Tensors that lie close together in a file are read as one run, so that the many small ones cost
/// neither a read nor a page each.
final class DenseWeights {
  private let buffer: AlignedBuffer
  /// Norm vectors as floats.
  private let vectors: AlignedBuffer
  /// Matrices that are made of others.
  private let transposed: AlignedBuffer
  /// Matrices that files have in another form.
  private let converted: AlignedBuffer
  let decoderWeights: DecoderWeights

  /// A run of neighbouring tensors, and where it goes.
  private struct Run {
    var extent: FileExtent
    var offset: Int
  }

  /// Gaps up to this size are read along rather than read around.
  private static let gapByteCountMax = 64 << 10
  /// Runs are cut here, so that loading can report progress.
  private static let runByteCountMax = 64 << 20

  /// What the dense weights take from the memory budget.
  static func byteCount(_ tensors: ModelTensors) -> Int {
    AlignedBuffer.mappedByteCount(for: layout(tensors).byteCount)
      + AlignedBuffer.mappedByteCount(for: convertedByteCount(tensors))
      + AlignedBuffer.mappedByteCount(for: DecoderWeights.vectorElementCount(tensors) * 4)
      + AlignedBuffer.mappedByteCount(for: DecoderWeights.transposedByteCount(tensors))
  }

  /// The files' bytes that are read, gaps included.
  static func fileByteCount(_ tensors: ModelTensors) -> Int {
    converted(tensors).flatMap(\.pieces).reduce(0) { $0 + $1.byteCount }
      + layout(tensors).runs.reduce(0) { $0 + $1.extent.byteCount }
  }

  /// Tensors that something is done with when they are loaded lie by themselves.
  private static func converted(_ tensors: ModelTensors) -> [DenseTensor] {
    tensors.dense.filter { $0.conversion != nil }
  }

  private static func convertedByteCount(_ tensors: ModelTensors) -> Int {
    converted(tensors).reduce(0) { $0 + ($1.byteCount + 63) / 64 * 64 }
  }

  /// Memory in which such a tensor lies as it is stored, while it is loaded.
  static func conversionByteCount(_ tensors: ModelTensors) -> Int {
    let placement = ReadPlacement(alignment: AlignedBuffer.pageByteCount)
    return converted(tensors).reduce(0) { largest, tensor in
      max(largest, tensor.pieces.reduce(0) { $0 + placement.slotByteCount(for: $1) })
    }
  }

  private static func layout(_ tensors: ModelTensors) -> (runs: [Run], byteCount: Int) {
    // Planned for the largest alignment, which is enough for every other.
    let placement = ReadPlacement(alignment: AlignedBuffer.pageByteCount)
    var extents: [FileExtent] = []
    for tensor in tensors.dense where tensor.conversion == nil {
      let extent = tensor.extent
      if let last = extents.last, last.fileIndex == extent.fileIndex {
        let end = extent.offset + extent.byteCount
        let gap = extent.offset - (last.offset + last.byteCount)
        if gap <= gapByteCountMax && end - last.offset <= runByteCountMax {
          extents[extents.count - 1].byteCount = max(last.byteCount, end - last.offset)
          continue
        }
      }
      extents.append(extent)
    }
    var end = 0
    let runs = extents.map { extent in
      defer { end += placement.slotByteCount(for: extent) }
      return Run(extent: extent, offset: end)
    }
    return (runs, end)
  }

  init(
    _ tensors: ModelTensors, reader: ExtentReader, team: WorkerTeam,
    progress: (_ byteCount: Int) -> Void
  ) throws(EngineError) {
    let (runs, byteCount) = Self.layout(tensors)
    let elementCount = DecoderWeights.vectorElementCount(tensors)
    let transposedByteCount = DecoderWeights.transposedByteCount(tensors)
    do {
      buffer = try AlignedBuffer(byteCount: byteCount)
      vectors = try AlignedBuffer(byteCount: elementCount * 4)
      transposed = try AlignedBuffer(byteCount: transposedByteCount)
      converted = try AlignedBuffer(byteCount: Self.convertedByteCount(tensors))
    } catch {
      throw .outOfMemory("the dense weights do not fit in memory: \(error)")
    }
    let memory = buffer.bytes(count: byteCount)
    var places: [String: ByteView] = [:]
    do {
      var end = 0
      for tensor in Self.converted(tensors) {
        let place = converted.bytes(atOffset: end, count: tensor.byteCount)
        try Self.load(tensor, to: place, reader: reader, team: team)
        places[tensor.name] = place
        end += (tensor.byteCount + 63) / 64 * 64
        progress(tensor.pieces.reduce(0) { $0 + $1.byteCount })
      }
      for run in runs {
        let region = memory.slice(
          run.offset, count: reader.placement.slotByteCount(for: run.extent))
        let parts: [1 of ReadPart] = [
          unsafe ReadPart(
            extent: run.extent, destination: region.pointer, capacity: region.count)
        ]
        try reader.read(parts.span)
        progress(run.extent.byteCount)
      }
      try reader.verifyUnchanged()
    } catch let error as StoreError {
      throw .store(error.description)
    } catch {
      throw .outOfMemory("the dense weights do not fit in memory: \(error)")
    }
    func place(of tensor: DenseTensor) -> ByteView {
      if let place = places[tensor.name] { return place }
      guard
        let run = runs.last(where: {
          $0.extent.fileIndex == tensor.extent.fileIndex
            && $0.extent.offset <= tensor.extent.offset
        })
      else { preconditionFailure("every dense tensor is in a run") }
      let start = run.offset + reader.placement.phase(of: run.extent)
      return memory.slice(
        start + tensor.extent.offset - run.extent.offset, count: tensor.extent.byteCount)
    }
    for tensor in tensors.dense {
      guard let checksum = tensor.checksum, CRC32C.checksum(place(of: tensor)) != checksum else {
        continue
      }
      let path = reader.files[tensor.extent.fileIndex].path
      throw .store(BundleError.damagedRange(path: path, tensor.extent).description)
    }
    decoderWeights = DecoderWeights(
      tensors: tensors, vectors: vectors.floats(count: elementCount),
      transposed: transposed.bytes(count: transposedByteCount), bytes: place(of:))
  }

  /// Reads a tensor, and makes of it what products read.
  private static func load(
    _ tensor: DenseTensor, to place: ByteView, reader: ExtentReader, team: WorkerTeam
  ) throws {
    guard let conversion = tensor.conversion else { return }
    let counts = tensor.pieces.map { reader.placement.slotByteCount(for: $0) }
    let buffer = try AlignedBuffer(byteCount: counts.reduce(0, +))
    var (end, pieces): (Int, [ByteView]) = (0, [])
    for (extent, count) in zip(tensor.pieces, counts) {
      let region = buffer.bytes(atOffset: end, count: count)
      let parts: [1 of ReadPart] = [
        unsafe ReadPart(extent: extent, destination: region.pointer, capacity: region.count)
      ]
      try reader.read(parts.span)
      pieces.append(region.slice(reader.placement.phase(of: extent), count: extent.byteCount))
      end += count
    }
    team.convert(
      conversion, to: tensor.format, rowCount: tensor.rowCount, columnCount: tensor.columnCount,
      stored: pieces[0], scales: pieces.count > 1 ? pieces[1] : nil, into: place)
  }
}

extension DenseTensor {
  /// What is read of it.
  fileprivate var pieces: [FileExtent] { [extent] + [scales].compactMap(\.self) }
}
