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
  /// What takes the place of the experts as they are; nil: nothing.
  package let ternary: TernaryExperts?
  /// Whether the bundle has all else of the model, too.
  package let isStandalone: Bool
  /// (layer): its experts in the order in which they are written; others are by their numbers.
  private let order: [Int: [Int]]
  let room: CodecRoom
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
  ///   - ternary: In place of the layers' experts.
  ///   - isStandalone: Whether the model's own files shall not be needed any more.
  ///   - order: (layer): its experts in the order in which they are written; others are by their
  ///     numbers.
  ///   - memoryByteCount: All that the process may hold; nil: as much as it takes.
  package init(
    _ source: PackSource, to path: String, codec: CodecEntry, layers: ClosedRange<Int>? = nil,
    low: LowCopy? = nil, ternary: TernaryExperts? = nil, isStandalone: Bool = false,
    order: [Int: [Int]] = [:], threadCount: Int, memoryByteCount: Int? = nil,
    cancellation: CancellationFlag? = nil
  ) throws(PackError) {
    self.source = source
    self.path = path
    self.codec = codec
    self.low = low
    self.ternary = ternary
    self.isStandalone = isStandalone
    self.order = order
    self.cancellation = cancellation
    self.layers = source.routedLayers.filter { layers?.contains($0) ?? true }
    if let layers, self.layers.isEmpty {
      throw .noSuchLayers(wanted: layers, lastLayer: source.layerCount - 1)
    }
    if isStandalone { try source.requireGGUF() }
    var wanted = Self.byteCount(source, threadCount: threadCount)
    if let ternary { wanted += ternary.byteCount(workerCount: threadCount) }
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

  func experts(ofLayer layer: Int) -> [ExpertID] {
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

  /// The same packing of fewer layers.
  package func limited(to layers: [Int]) throws(PackError) -> Packer {
    Packer(self, layers: layers)
  }

  private init(_ packer: Packer, layers: [Int]) {
    (source, path, codec, low) = (packer.source, packer.path, packer.codec, packer.low)
    (ternary, isStandalone, order) = (packer.ternary, packer.isStandalone, packer.order)
    (room, cancellation) = (packer.room, packer.cancellation)
    self.layers = layers
  }

  private func encode(
    _ part: ByteView, _ shape: CodedShape, _ codec: CodecEntry
  ) throws(PackError) -> [UInt8]? {
    guard codec.takes(shape.format) else { return nil }
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
    for (index, part) in experts.parts.enumerated() {
      if isLow, let low {
        parts[index].formatID = low.format(part.shape).ggmlType
      } else if !isLow, ternary != nil {
        parts[index].formatID = TernaryExperts.shape(of: part).format.ggmlType
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

  /// An expert's parts as they are packed, or what is packed in their place.
  ///
  /// - Parameter isSample: Whether nothing is written.
  func forEachPart(
    _ own: [ByteView], of item: PackItem, isSample: Bool = false,
    _ body: (_ part: ByteView, CodedShape) throws(PackError) -> Void
  ) throws(PackError) {
    let parts = source.experts.layers[item.expert.layer].parts
    let made =
      item.isLow ? [:] : try ternary?.make(item.expert, own, isSample: isSample) ?? [:]
    for (number, part) in parts.enumerated() {
      if item.isLow, let low {
        let copy = try lowCopy(of: own[number], part.shape, by: low)
        try body(copy.bytes, low.shape(of: part.shape))
      } else if let ternary = made[number] {
        try body(ternary.bytes, TernaryExperts.shape(of: part))
      } else {
        try body(own[number], part.shape)
      }
    }
  }

  /// An expert's parts, or their copies, in the codes that they are kept in.
  private func codes(
    of parts: [ByteView], _ item: PackItem
  ) throws(PackError) -> [(codecID: UInt32, bytes: [UInt8])] {
    var codes: [(codecID: UInt32, bytes: [UInt8])] = []
    try forEachPart(parts, of: item) { part, shape throws(PackError) in
      codes.append(try stored(part, shape))
    }
    return codes
  }

  private func lowCopy(
    of part: ByteView, _ shape: CodedShape, by low: LowCopy
  ) throws(PackError) -> MadePart {
    do {
      let bytes = try low.make(part, shape)
      let copy = try MadePart(byteCount: bytes.count)
      copy.bytes.copy(from: bytes)
      return copy
    } catch let error as OutOfMemory {
      throw .outOfMemory("\(error)")
    } catch {
      throw .quantization("\(error)")
    }
  }

  func stored(
    _ part: ByteView, _ shape: CodedShape
  ) throws(PackError) -> (codecID: UInt32, bytes: [UInt8]) {
    var next: CodecEntry? = codec
    while let codec = next, codec.id != CodecRegistry.none.id {
      if let code = try encode(part, shape, codec) { return (codec.id, code) }
      next = CodecRegistry.fallback(for: codec)
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
      emptyBundle(marks), codec: codec, recipe: [low?.name, ternary?.recipe].compactMap(\.self),
      file: file, room: room)
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
