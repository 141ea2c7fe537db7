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
    let all = bundle.layers.flatMap { layer in
      layer.records.indices.map { ExpertID(layer: layer.number, index: $0) }
    }
    var done = 0
    func check(_ expert: ExpertID, _ originals: [ByteView]?) throws(PackError) {
      if try !isSound(expert, originals) { damaged.append(expert) }
      done += 1
      progress(done, all.count)
    }
    if let source {
      try source.forEachExpert(all) { expert, parts throws(PackError) in try check(expert, parts) }
    } else {
      for expert in all { try check(expert, nil) }
    }
    return damaged
  }

  private func isSound(
    _ expert: ExpertID, _ originals: [ByteView]?
  ) throws(PackError) -> Bool {
    guard let layer = bundle.layer(expert.layer) else { return false }
    let record = layer.records[expert.index]
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
