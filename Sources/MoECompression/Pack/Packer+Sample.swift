import MoECore
import MoEKernels
import MoEStore

extension Packer {
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

  private func sample(ofLayers layers: [Int]) throws(PackError) -> PackSample {
    let all = layers.flatMap(experts(ofLayer:))
    let count = min(all.count, max(PackSample.countMin, all.count / 100))
    let chosen = (0..<count).map { all[all.count / count * $0] }
    var sample = PackSample()
    try source.forEachExpert(chosen) { expert, parts throws(PackError) in
      sample.plainByteCount += source.shapes(ofLayer: expert.layer).reduce(0) { $0 + $1.byteCount }
      let item = PackItem(expert: expert, isLow: false)
      try forEachPart(parts, of: item, isSample: true) { part, shape throws(PackError) in
        let start = MonotonicClock.nanoseconds()
        let code = try stored(part, shape)
        sample.encodeSeconds += Double(MonotonicClock.nanoseconds() - start) * 1e-9
        sample.weightCount += shape.rowCount * shape.columnCount
        sample.codedByteCount += code.bytes.count
        guard let codec = CodecRegistry.entry(id: code.codecID),
          codec.id != CodecRegistry.none.id
        else { return }
        sample.decodeSeconds += try decodeSeconds(code.bytes, shape, codec)
        sample.decodedByteCount += shape.byteCount
      }
    }
    return sample
  }

  /// Of the whole team, the faster of two tries.
  private func decodeSeconds(
    _ code: [UInt8], _ shape: CodedShape, _ codec: CodecEntry
  ) throws(PackError) -> Double {
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
}

/// What coding a few experts has shown.
package struct PackSample: Sendable {
  static let countMin = 8

  /// Bytes of the experts that were coded, before and after.
  package var plainByteCount = 0
  package var codedByteCount = 0
  package var weightCount = 0
  /// Seconds of the whole team.
  package var encodeSeconds = 0.0
  package var decodeSeconds = 0.0
  /// What was decoded in these: of parts that gain nothing, nothing.
  package var decodedByteCount = 0

  package var bitsPerWeight: Double { 8 * Double(codedByteCount) / Double(max(1, weightCount)) }

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
