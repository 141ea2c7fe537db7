import MoECore
import MoEKernels
import MoEStore

/// Reads the records of a bundle, and decodes what is in them: one at a time.
final class RecordReader {
  let bundle: Bundle
  let reader: ExtentReader
  private let room: CodecRoom
  /// A record as it is read, and behind it one of its parts decoded.
  private let buffer: AlignedBuffer

  init(_ bundle: Bundle, threadCount: Int) throws(PackError) {
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

  /// Calls `body` with each part of an expert as products read it, by the part's number; it has the
  /// bytes until it returns. False where the record's bytes are not those that were packed, or mean
  /// nothing: some parts may have been given by then.
  func forEachPart(
    of expert: Int, in layer: Bundle.Layer,
    _ body: (_ number: Int, _ bytes: ByteView) throws(PackError) -> Void
  ) throws(PackError) -> Bool {
    let record = layer.records[expert]
    let readByteCount = reader.placement.slotByteCount(for: record.extent)
    let region = buffer.bytes(count: readByteCount)
    let parts: [1 of ReadPart] = [
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
      let target = buffer.bytes(atOffset: readByteCount, count: part.slot(of: shape).byteCount)
      do {
        try codec.decode(bytes.slice(part.offset, count: part.byteCount), shape, target, room)
      } catch {
        return false
      }
      try body(number, target)
    }
    return true
  }
}
