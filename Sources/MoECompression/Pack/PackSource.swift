import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
package import MoEStore

/// A model whose experts are to be packed, read expert by expert.
package final class PackSource {
  package let files: [StoreFile]
  let description: ModelDescription
  let experts: ExpertLayout
  /// Of all tensors, in the model's own files.
  let tensors: [FileExtent]
  private let isGGUF: Bool
  let reader: ExtentReader
  /// Memory for two experts: one is read while the other is worked on.
  private let buffer: AlignedBuffer
  private let slotByteCount: Int
  private static let alignment = ReadPlacement.alignmentMax

  /// Reads the headers of the model's files.
  package init(modelAt path: String) throws(PackError) {
    let model: any StoredModel
    do {
      model = try FormatRegistry.open(path)
      try model.requireModel()
    } catch {
      throw .format(error)
    }
    guard model.bundle == nil else { throw .packedAlready(path: path) }
    (description, experts) = try Self.description(of: model)
    tensors = model.tensors.map(\.extent)
    isGGUF = model is GGUFFile
    files = model.files.map {
      StoreFile(path: $0.path, byteCount: $0.byteCount, identity: $0.identity)
    }
    guard !experts.routedLayers.isEmpty else { throw .noExperts(path: files[0].path) }
    if let part = experts.layers.flatMap(\.parts).first(where: { $0.conversion != nil }) {
      throw .converted(path: files[0].path, tensor: part.name)
    }
    slotByteCount = experts.layers.reduce(0) {
      max($0, $1.regionByteCounts(alignment: Self.alignment).reduce(0, +))
    }
    do throws(OutOfMemory) {
      buffer = try AlignedBuffer(byteCount: 2 * slotByteCount)
    } catch {
      throw .outOfMemory("the memory to read experts to cannot be had: \(error)")
    }
    do {
      reader = try ExtentReader(files: files)
    } catch {
      throw .store(error)
    }
  }

  /// What a model is, and where it has its experts.
  static func description(
    of model: any StoredModel
  ) throws(PackError) -> (ModelDescription, experts: ExpertLayout) {
    do {
      let description = try ArchitectureRegistry.describe(metadata: model, tensors: model.tensors)
      let tensors = try ModelTensors(
        description: description, tensors: model.tensors, file: model.sourceName)
      return (description, tensors.experts)
    } catch {
      throw .model(error)
    }
  }

  /// Refuses a model whose files are in another format.
  func requireGGUF() throws(PackError) {
    guard isGGUF else { throw .notGGUF(path: files[0].path) }
  }

  /// What the files have besides the experts of some layers.
  func plainExtents(besides layers: [Int]) -> [FileExtent] {
    PlainExtents.all(
      fileByteCounts: files.map(\.byteCount), tensors: tensors,
      besides: layers.map { experts.layers[$0] })
  }

  /// Refuses a bundle of another model.
  package func check(isOf bundle: Bundle) throws(PackError) {
    do throws(BundleError) {
      try bundle.check(isOf: files)
      _ = try experts.stored(in: bundle, fileIndex: files.count)
    } catch {
      throw .bundle(error)
    }
  }

  package var layerCount: Int { experts.layers.count }
  package var routedLayers: [Int] { experts.routedLayers }
  package var expertsPerTokenMax: Int { experts.expertsPerTokenMax }
  package func expertCount(ofLayer layer: Int) -> Int { experts.layers[layer].expertCount }

  /// Bytes of the experts of some layers.
  package func byteCount(ofLayers layers: [Int]) -> Int {
    layers.reduce(0) {
      $0 + experts.layers[$1].slotByteCountPerExpert * experts.layers[$1].expertCount
    }
  }

  /// The largest expert.
  package var expertByteCountMax: Int {
    experts.layers.reduce(0) { max($0, $1.slotByteCountPerExpert) }
  }

  /// What the source holds.
  var byteCount: Int { buffer.mappedByteCount }

  func shapes(ofLayer layer: Int) -> [CodedShape] {
    experts.layers[layer].parts.map {
      CodedShape(format: $0.format, rowCount: $0.rowCount, columnCount: $0.columnCount)
    }
  }

  /// The bytes of each part of each of some experts, in their order: `body` has them until it
  /// returns, while the next expert is read.
  func forEachExpert(
    _ list: [ExpertID], _ body: (_ expert: ExpertID, _ parts: [ByteView]) throws(PackError) -> Void
  ) throws(PackError) {
    guard !list.isEmpty else { return }
    do throws(PackError) {
      try submit(list[0], slot: 0)
      for (number, expert) in list.enumerated() {
        try wait()
        if number + 1 < list.count { try submit(list[number + 1], slot: (number + 1) % 2) }
        try body(expert, parts(of: expert, slot: number % 2))
      }
    } catch {
      // What is read ahead must not be taken for what the next caller asks for.
      reader.drain()
      throw error
    }
  }

  private func regions(of expert: ExpertID, slot: Int) -> [ByteView] {
    var start = slot * slotByteCount
    return experts.layers[expert.layer].regionByteCounts(alignment: Self.alignment).map { count in
      defer { start += count }
      return buffer.bytes(atOffset: start, count: count)
    }
  }

  private func submit(_ expert: ExpertID, slot: Int) throws(PackError) {
    let regions = regions(of: expert, slot: slot)
    var parts: [ReadPart] = []
    experts.layers[expert.layer].forEachRead(ofExpert: expert.index, alignment: Self.alignment) {
      extent, number, offset in
      let region = regions[number]
      parts.append(
        unsafe ReadPart(
          extent: extent, destination: region.pointer + offset, capacity: region.count - offset))
    }
    do {
      try reader.submit(tag: slot, parts: parts.span)
    } catch {
      throw .store(error)
    }
  }

  private func wait() throws(PackError) {
    do {
      guard try reader.next(blocking: true) != nil else {
        preconditionFailure("an expert was waited for that nobody reads")
      }
      try reader.verifyUnchanged()
    } catch {
      throw .store(error)
    }
  }

  private func parts(of expert: ExpertID, slot: Int) -> [ByteView] {
    let layer = experts.layers[expert.layer]
    let regions = regions(of: expert, slot: slot)
    return layer.parts.indices.map { part in
      let place = layer.location(ofPart: part, expert: expert.index, placement: reader.placement)
      return regions[place.region].slice(place.offset, count: layer.parts[part].slotByteCount)
    }
  }
}
