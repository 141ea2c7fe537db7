package import MoECore
import MoEExperts
import MoEKernels
package import MoEStore

/// Reads every expert of a bundle, and says which are damaged.
package final class BundleCheck {
  private let bundle: Bundle
  private let reader: ExtentReader
  private let room: CodecRoom
  private let buffer: AlignedBuffer

  package init(_ bundle: Bundle, threadCount: Int) throws(PackError) {
    self.bundle = bundle
    let records = bundle.layers.flatMap(\.records)
    let readByteCount = records.reduce(0) { max($0, $1.extent.byteCount) } + 2 * 4096
    let partByteCount = bundle.layers.flatMap(\.parts).reduce(0) {
      max($0, $1.shape?.byteCount ?? 0)
    }
    do {
      room = try CodecRoom(WorkerTeam(workerCount: threadCount))
      buffer = try AlignedBuffer(
        byteCount: readByteCount.alignedUp(to: 4096) + partByteCount.alignedUp(to: 4096))
    } catch {
      throw .outOfMemory("\(error)")
    }
    do {
      reader = try ExtentReader(files: [bundle.file])
    } catch {
      throw .store(error)
    }
  }

  /// Experts whose bytes are not those that were packed, or differ from those of the model where
  /// one is given.
  ///
  /// - Parameter progress: Called with the experts that are done, and all.
  package func damaged(
    comparedWith source: PackSource? = nil, progress: (_ done: Int, _ total: Int) -> Void
  ) throws(PackError) -> [ExpertID] {
    var damaged: [ExpertID] = []
    let (low, plain) = (items(isLow: true), items(isLow: false))
    var done = 0
    func check(_ item: PackItem, _ originals: [ByteView]?) throws(PackError) {
      if try !isSound(item, originals) { damaged.append(item.expert) }
      done += 1
      progress(done, low.count + plain.count)
    }
    if let source {
      try source.forEachExpert(plain.map(\.expert)) { expert, parts throws(PackError) in
        try check(PackItem(expert: expert, isLow: false), parts)
      }
    } else {
      for item in plain { try check(item, nil) }
    }
    for item in low { try check(item, nil) }
    return damaged
  }

  private func items(isLow: Bool) -> [PackItem] {
    bundle.layers.filter { $0.isLow == isLow }.flatMap { layer in
      layer.records.indices.map {
        PackItem(expert: ExpertID(layer: layer.number, index: $0), isLow: isLow)
      }
    }
  }

  private func isSound(
    _ item: PackItem, _ originals: [ByteView]?
  ) throws(PackError) -> Bool {
    guard let layer = bundle.layer(item.expert.layer, isLow: item.isLow) else { return false }
    let record = layer.records[item.expert.index]
    let readByteCount = reader.placement.slotByteCount(for: record.extent)
    let region = buffer.bytes(count: readByteCount)
    let parts = [
      unsafe ReadPart(
        extent: record.extent, destination: region.pointer, capacity: region.count)
    ]
    do {
      try reader.read(parts.span)
    } catch {
      throw .store(error)
    }
    let bytes = region.slice(
      reader.placement.phase(of: record.extent), count: record.extent.byteCount)
    guard record.isSound(bytes, room: room) else { return false }
    for (number, part) in record.parts.enumerated() {
      guard let shape = layer.parts[number].shape, let codec = CodecRegistry.entry(id: part.codecID)
      else { return false }
      let target = buffer.bytes(atOffset: readByteCount, count: shape.byteCount)
      do {
        try codec.decode(bytes.slice(part.offset, count: part.byteCount), shape, target, room)
      } catch {
        return false
      }
      if let originals, !originals[number].isEqual(to: target) { return false }
    }
    return true
  }
}
