package import MoECore
import MoEExperts
import MoEKernels
import MoEPlatform
package import MoEStore

/// Writes a bundle of a model's experts.
///
/// Experts are written in their order, under a name of the bundle's with `.part` behind it; the
/// bundle takes its place when all of it is on the disk. What an interrupted run left is checked
/// and gone on with.
package final class Packer {
  package let source: PackSource
  package let path: String
  package let codec: CodecEntry
  /// Layers that are packed as they are.
  package let layers: [Int]
  /// Copies of all experts that are packed behind these; nil: none.
  package let low: LowCopy?
  /// Whether the bundle has all else of the model, too.
  package let isStandalone: Bool
  /// (layer): its experts in the order in which they are written; others are by their numbers.
  private let order: [Int: [Int]]
  private let room: CodecRoom
  let cancellation: CancellationFlag?

  /// What was written.
  package struct Result: Sendable {
    package var byteCount = 0
    /// Experts that an earlier run had written.
    package var resumedCount = 0
    package var expertCount = 0
  }

  /// - Parameters:
  ///   - layers: Nil: all that have experts.
  ///   - low: Copies of all experts besides.
  ///   - isStandalone: Whether the model's own files shall not be needed any more.
  ///   - order: (layer): its experts in the order in which they are written; others are by their
  ///     numbers.
  ///   - memoryByteCount: All that the process may hold; nil: as much as it takes.
  package init(
    _ source: PackSource, to path: String, codec: CodecEntry, layers: ClosedRange<Int>? = nil,
    low: LowCopy? = nil, isStandalone: Bool = false, order: [Int: [Int]] = [:],
    threadCount: Int, memoryByteCount: Int? = nil,
    cancellation: CancellationFlag? = nil
  ) throws(PackError) {
    self.source = source
    self.path = path
    self.codec = codec
    self.low = low
    self.isStandalone = isStandalone
    self.order = order
    self.cancellation = cancellation
    self.layers = source.routedLayers.filter { layers?.contains($0) ?? true }
    if let layers, self.layers.isEmpty {
      throw .noSuchLayers(wanted: layers, lastLayer: source.layerCount - 1)
    }
    if isStandalone { try source.requireGGUF() }
    let wanted = Self.byteCount(source, threadCount: threadCount)
    if let memoryByteCount, memoryByteCount < wanted {
      throw .memoryTooSmall(wanted: wanted, given: memoryByteCount)
    }
    // Before any work.
    do throws(FileError) {
      try ReplacementFile.check(path)
    } catch {
      throw PackError(error)
    }
    do {
      room = try CodecRoom(WorkerTeam(workerCount: threadCount), encodes: true)
    } catch {
      throw .outOfMemory("\(error)")
    }
  }

  /// What packing takes, besides code and headers: two experts as they are read, one coded, its
  /// parts before they are put together, and the record; and a piece of what is copied.
  private static func byteCount(_ source: PackSource, threadCount: Int) -> Int {
    source.byteCount + 4 * source.expertByteCountMax + ExtentReader.pieceBufferByteCount
      + CodecRoom.byteCount(workerCount: threadCount, encodes: true) + processByteCount
  }

  /// Code, headers, tables and the reader.
  private static let processByteCount = 64 << 20

  private func experts(ofLayer layer: Int) -> [ExpertID] {
    (0..<source.experts.layers[layer].expertCount).map { ExpertID(layer: layer, index: $0) }
  }

  /// The records of some layers in the order in which they are written.
  private func items(ofLayers layers: [Int], isLow: Bool) -> [PackItem] {
    layers.flatMap { layer in
      let experts =
        order[layer].map { $0.map { ExpertID(layer: layer, index: $0) } } ?? experts(ofLayer: layer)
      return experts.map { PackItem(expert: $0, isLow: isLow) }
    }
  }

  /// Codes some experts of each kind of layer, without writing anything: (layer), what was found of
  /// its kind.
  package func samples() throws(PackError) -> [Int: PackSample] {
    var kinds: [[CodedShape]: [Int]] = [:]
    for layer in layers { kinds[source.shapes(ofLayer: layer), default: []].append(layer) }
    var samples: [Int: PackSample] = [:]
    for layers in kinds.values {
      let sample = try sample(ofLayers: layers)
      for layer in layers { samples[layer] = sample }
    }
    return samples
  }

  /// The same packing of fewer layers.
  package func limited(to layers: [Int]) throws(PackError) -> Packer {
    Packer(self, layers: layers)
  }

  private init(_ packer: Packer, layers: [Int]) {
    (source, path, codec, low) = (packer.source, packer.path, packer.codec, packer.low)
    (isStandalone, order) = (packer.isStandalone, packer.order)
    (room, cancellation) = (packer.room, packer.cancellation)
    self.layers = layers
  }

  private func sample(ofLayers layers: [Int]) throws(PackError) -> PackSample {
    let all = layers.flatMap(experts(ofLayer:))
    let count = min(all.count, max(PackSample.countMin, all.count / 100))
    let chosen = (0..<count).map { all[all.count / count * $0] }
    var sample = PackSample()
    try source.forEachExpert(chosen) { expert, parts throws(PackError) in
      let shapes = source.shapes(ofLayer: expert.layer)
      for (part, shape) in zip(parts, shapes) {
        let start = MonotonicClock.nanoseconds()
        let code = try encode(part, shape)
        sample.encodeSeconds += Double(MonotonicClock.nanoseconds() - start) * 1e-9
        sample.plainByteCount += shape.byteCount
        sample.codedByteCount += code?.count ?? shape.byteCount
        guard let code else { continue }
        sample.decodeSeconds += try decodeSeconds(code, shape)
        sample.decodedByteCount += shape.byteCount
      }
    }
    return sample
  }

  /// Of the whole team, the faster of two tries.
  private func decodeSeconds(_ code: [UInt8], _ shape: CodedShape) throws(PackError) -> Double {
    do {
      let buffer = try AlignedBuffer(byteCount: code.count + 64 + shape.byteCount)
      let stored = buffer.bytes(count: code.count)
      stored.copy(from: code)
      let target = buffer.bytes(
        atOffset: (code.count + 63) / 64 * 64, count: shape.byteCount)
      var best = Double.infinity
      for _ in 0..<2 {
        let start = MonotonicClock.nanoseconds()
        try codec.decode(stored, shape, target, room)
        best = min(best, Double(MonotonicClock.nanoseconds() - start) * 1e-9)
      }
      return best
    } catch {
      throw .outOfMemory("\(error)")
    }
  }

  private func encode(_ part: ByteView, _ shape: CodedShape) throws(PackError) -> [UInt8]? {
    do {
      return try codec.encode(part, shape, room)
    } catch {
      throw .outOfMemory("\(error)")
    }
  }

  /// Layers of which copies are packed.
  private var lowLayers: [Int] { low == nil ? [] : source.routedLayers }

  /// A layer of whose records nothing is known yet.
  private func emptyLayer(_ number: Int, isLow: Bool) -> Bundle.Layer {
    let experts = source.experts.layers[number]
    var parts = experts.bundleParts
    if isLow, let low {
      for (index, shape) in source.shapes(ofLayer: number).enumerated() {
        parts[index].formatID = low.format(shape).ggmlType
      }
    }
    let unknown = BundleRecord(
      extent: FileExtent(fileIndex: 0, offset: 0, byteCount: 0), headerChecksum: 0,
      parts: parts.map { _ in BundleRecord.Part(codecID: 0, offset: 0, byteCount: 0) })
    return Bundle.Layer(
      number: number, isLow: isLow, parts: parts,
      records: Array(repeating: unknown, count: experts.expertCount))
  }

  /// The bundle with a place for all that it will have.
  private func emptyBundle(_ marks: [ModelMark]) -> Bundle {
    Bundle(
      file: StoreFile(path: path, byteCount: 0), marks: marks,
      layers: layers.map { emptyLayer($0, isLow: false) }
        + lowLayers.map { emptyLayer($0, isLow: true) },
      order: order.isEmpty ? .byExpert : .byCoUse,
      ranges: plainExtents.map { BundleRange(extent: $0, place: 0, checksum: 0) })
  }

  /// An expert's parts, or their copies, in the codes that they are kept in.
  private func codes(
    of parts: [ByteView], _ item: PackItem
  ) throws(PackError) -> [(codecID: UInt32, bytes: [UInt8])] {
    var codes: [(codecID: UInt32, bytes: [UInt8])] = []
    for (part, shape) in zip(parts, source.shapes(ofLayer: item.expert.layer)) {
      guard item.isLow, let low else {
        codes.append(try stored(part, shape))
        continue
      }
      let copy = try lowCopy(of: part, shape, by: low)
      codes.append(try stored(copy.bytes(count: copy.byteCount), low.shape(of: shape)))
    }
    return codes
  }

  private func lowCopy(
    of part: ByteView, _ shape: CodedShape, by low: LowCopy
  ) throws(PackError) -> AlignedBuffer {
    do {
      let bytes = try low.make(part, shape)
      let buffer = try AlignedBuffer(byteCount: bytes.count)
      buffer.bytes(count: bytes.count).copy(from: bytes)
      return buffer
    } catch let error as OutOfMemory {
      throw .outOfMemory("\(error)")
    } catch {
      throw .quantization("\(error)")
    }
  }

  private func stored(
    _ part: ByteView, _ shape: CodedShape
  ) throws(PackError) -> (codecID: UInt32, bytes: [UInt8]) {
    if codec.id != CodecRegistry.none.id, let code = try encode(part, shape) {
      return (codec.id, code)
    }
    return (CodecRegistry.none.id, part.slice(0, count: shape.byteCount).array())
  }

  /// Writes the bundle.
  ///
  /// - Parameters:
  ///   - expectedByteCount: About what it will take of the disk, which must have room for it.
  ///   - progress: Called with the bytes of experts that are done, and of all.
  package func pack(
    expectedByteCount: Int, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(PackError) -> Result {
    let marks: [ModelMark]
    let opened: ResumableFile?
    do throws(FileError) {
      marks = try ModelMark.all(source.files)
      opened = try ResumableFile.open(path)
    } catch {
      throw PackError(error)
    }
    guard let file = opened else { throw .bundle(.inUse(path: path)) }
    return try write(marks, to: file, expectedByteCount: expectedByteCount, progress)
  }

  private func write(
    _ marks: [ModelMark], to file: ResumableFile, expectedByteCount: Int,
    _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(PackError) -> Result {
    var writer = PackWriter(
      emptyBundle(marks), codec: codec, low: low, file: file, room: room)
    let all = items(ofLayers: layers, isLow: false) + items(ofLayers: lowLayers, isLow: true)
    let plainByteCount = writer.bundle.ranges.map(\.extent).reduce(0) { $0 + $1.byteCount }
    var result = Result()
    do throws(FileError) {
      result.resumedCount = try writer.resume(all)
      try file.checkRoom(for: max(0, expectedByteCount + plainByteCount - writer.end))
    } catch {
      throw PackError(error)
    }
    let total =
      source.byteCount(ofLayers: layers) + source.byteCount(ofLayers: lowLayers) + plainByteCount
    var done = all.prefix(result.resumedCount).reduce(0) {
      $0 + source.experts.layers[$1.expert.layer].slotByteCountPerExpert
    }
    progress(done, total)
    let rest = Array(all.dropFirst(result.resumedCount))
    var number = 0
    try source.forEachExpert(rest.map(\.expert)) { expert, parts throws(PackError) in
      if cancellation?.isCancelled ?? false { throw .cancelled(partialPath: file.partialPath) }
      let item = rest[number]
      number += 1
      let codes = try codes(of: parts, item)
      do {
        try writer.append(codes, item)
      } catch let error as FileError {
        throw PackError(error)
      } catch {
        throw .outOfMemory("\(error)")
      }
      done += parts.reduce(0) { $0 + $1.count }
      progress(done, total)
    }
    try copyRanges(to: &writer, file) { progress(done + $0, total) }
    do throws(FileError) {
      try writer.commit()
    } catch {
      throw PackError(error)
    }
    result.byteCount = writer.end
    result.expertCount = all.count
    return result
  }
}

/// What coding a few experts has shown.
package struct PackSample: Sendable {
  static let countMin = 8

  /// Bytes of the experts that were coded, before and after.
  package var plainByteCount = 0
  package var codedByteCount = 0
  /// Seconds of the whole team.
  package var encodeSeconds = 0.0
  package var decodeSeconds = 0.0
  /// What was decoded in these: of parts that gain nothing, nothing.
  package var decodedByteCount = 0

  /// What is left of a byte.
  package var ratio: Double { Double(codedByteCount) / Double(max(1, plainByteCount)) }
  /// Seconds that the team takes to make a byte of the model ready: decoding, those of parts that
  /// stay as they are counted in, and moving and checking the code.
  package var finishSecondsPerByte: Double {
    decodeSeconds / Double(max(1, plainByteCount)) + ratio * Self.checkSecondsPerByte
  }

  /// Copying and checksums: two passes over what has just been read.
  private static let checkSecondsPerByte = 0.15e-9
}
