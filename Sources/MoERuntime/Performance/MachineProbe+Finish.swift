import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore

/// What it takes to check and decode experts of a bundle.
extension MachineProbe {
  private static let expertCount = 6

  /// Seconds for a byte as products read it; the median of some experts.
  func measureFinish() throws(EngineError) -> Double {
    let layout = run.header.tensors.experts
    let layers = layout.layers.indices.filter { layout.layers[$0].records != nil }
    guard !layers.isEmpty else { return 0 }
    let reader = try run.makeReader()
    let alignment = ReadPlacement.alignmentMax
    var generator = SeededGenerator(seed: MonotonicClock.nanoseconds())
    var times: [Double] = []
    do {
      let finisher = try ExpertFinisher(layout, team: team)
      for _ in 0..<Self.expertCount {
        let number = layers[Int.random(in: layers.indices, using: &generator)]
        let layer = layout.layers[number]
        let expert = Int.random(in: 0..<layer.expertCount, using: &generator)
        let buffer = try AlignedBuffer(
          byteCount: layer.regionByteCounts(alignment: alignment).reduce(0, +))
        let region = buffer.bytes(count: buffer.byteCount)
        team.populate(region)
        var parts: [ReadPart] = []
        layer.forEachRead(ofExpert: expert, alignment: alignment) { extent, _, offset in
          parts.append(
            unsafe ReadPart(
              extent: extent, destination: region.pointer + offset,
              capacity: region.count - offset))
        }
        try reader.read(parts.span)
        // Else pages would be cleared while they are decoded to.
        let before = MonotonicClock.nanoseconds()
        try finisher.finish(
          layer, expert: ExpertID(layer: number, index: expert), alignment: alignment,
          placement: reader.placement, files: reader.files, region: { _ in region })
        times.append(
          Double(MonotonicClock.nanoseconds() - before) * 1e-9
            / Double(layer.slotByteCountPerExpert))
      }
    } catch {
      throw .store("\(error)")
    }
    times.sort()
    return times[times.count / 2]
  }
}
