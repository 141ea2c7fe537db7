package import MoECore
import MoEExperts
import MoEKernels
package import MoEStore

/// Reads all of a bundle, and says what is damaged.
package final class BundleCheck {
  private let bundle: Bundle
  private let records: RecordReader

  package init(_ bundle: Bundle, threadCount: Int) throws(PackError) {
    self.bundle = bundle
    records = try RecordReader(bundle, threadCount: threadCount)
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
    var isEqual = true
    let isSound = try records.forEachPart(of: item.expert.index, in: layer) { number, bytes in
      // What was rounded is not the model's.
      if let originals, layer.parts[number].shape?.format != .ternary,
        !originals[number].isEqual(to: bytes)
      {
        isEqual = false
      }
    }
    return isSound && isEqual
  }

  /// What else the bundle keeps of the model, where those bytes are not the ones that were packed,
  /// or differ from the model's where that is given: extents of the model's own files.
  ///
  /// - Parameter progress: Called with the bytes that are done, and all.
  package func damagedRanges(
    comparedWith source: PackSource? = nil, progress: (_ done: Int, _ total: Int) -> Void
  ) throws(PackError) -> [FileExtent] {
    let buffer = try AlignedBuffer.forPacking(byteCount: ExtentReader.pieceBufferByteCount)
    let total = bundle.ranges.reduce(0) { $0 + $1.extent.byteCount }
    var done = 0
    func checksum(_ extent: FileExtent, _ reader: ExtentReader) throws(PackError) -> UInt32 {
      var sum: UInt32 = 0
      try reader.forEachPiece(of: extent, through: buffer) { _, bytes in
        sum = CRC32C.checksum(bytes, after: sum)
      }
      return sum
    }
    var damaged: [FileExtent] = []
    for range in bundle.ranges {
      var isSound = try checksum(range.stored, records.reader) == range.checksum
      if isSound, let source {
        isSound = try checksum(range.extent, source.reader) == range.checksum
      }
      if !isSound { damaged.append(range.extent) }
      done += range.extent.byteCount
      progress(done, total)
    }
    return damaged
  }
}
