package import MoECache
import MoECore
package import MoEKernels
package import MoEStore

/// All experts in memory, read once at load: what runs when the model fits, and the oracle that the
/// offloaded source is tested against.
package final class ResidentExperts: ExpertSource {
  package let layout: ExpertLayout
  private let buffer: AlignedBuffer
  /// (layer, part and expert): where the part's bytes begin in the buffer.
  private let partOffsets: [[Int]]
  private var requests: [ExpertRequest] = []
  private var layer = 0
  private var phase = InferencePhase.prefill
  private var wasReturned = false
  package private(set) var statistics = ExpertStatistics()

  /// What the experts take from the memory budget.
  package static func byteCount(_ layout: ExpertLayout) -> Int {
    AlignedBuffer.mappedByteCount(
      for: runs(of: layout).byteCount + convertedByteCount(layout))
  }

  /// A run of bytes in the file and where it goes to.
  private struct Run {
    var layer: Int
    var part: Int
    var experts: Range<Int>
    var extent: FileExtent
    var start: Int
  }

  private static func runs(of layout: ExpertLayout) -> (runs: [Run], byteCount: Int) {
    // Planned for the largest alignment, which is enough for every other.
    let placement = ReadPlacement(alignment: AlignedBuffer.pageByteCount)
    var runs: [Run] = []
    var end = 0
    for (layer, experts) in layout.layers.enumerated() {
      for (number, part) in experts.parts.enumerated() where part.conversion == nil {
        let extents = part.runs
        let count = experts.expertCount / extents.count
        for (index, extent) in extents.enumerated() {
          runs.append(
            Run(
              layer: layer, part: number, experts: index * count..<(index + 1) * count,
              extent: extent, start: end))
          end += placement.slotByteCount(for: extent)
        }
      }
    }
    return (runs, end)
  }

  /// Bytes of parts that something is done with, each in a region of its own.
  private static func convertedByteCount(_ layout: ExpertLayout) -> Int {
    layout.layers.reduce(0) { sum, layer in
      layer.parts.filter { $0.conversion != nil }.reduce(sum) { sum, part in
        (0..<part.expertCount).reduce(sum) {
          $0 + part.regionByteCount(ofExpert: $1, alignment: ReadPlacement.alignmentMax)
        }
      }
    }
  }

  /// Reads every expert.
  package init(
    _ layout: ExpertLayout, reader: ExtentReader, team: WorkerTeam,
    progress: (_ byteCount: Int) -> Void = { _ in }
  ) throws(ExpertError) {
    self.layout = layout
    let (runs, runByteCount) = Self.runs(of: layout)
    let byteCount = runByteCount + Self.convertedByteCount(layout)
    let converter: PartConverter
    do {
      buffer = try AlignedBuffer(byteCount: byteCount)
      converter = try PartConverter(layout, team: team)
    } catch {
      throw .outOfMemory("the experts do not fit in memory: \(error)")
    }
    team.populate(buffer.bytes(count: byteCount))
    var offsets = layout.layers.map {
      Array(repeating: 0, count: $0.parts.count * $0.expertCount)
    }
    do {
      for run in runs {
        let region = buffer.bytes(
          atOffset: run.start, count: reader.placement.slotByteCount(for: run.extent))
        let parts = [
          unsafe ReadPart(
            extent: run.extent, destination: region.pointer, capacity: region.count)
        ]
        try reader.read(parts.span)
        let layer = layout.layers[run.layer]
        let first = run.start + reader.placement.phase(of: run.extent)
        for (index, expert) in run.experts.enumerated() {
          offsets[run.layer][run.part * layer.expertCount + expert] =
            first + index * layer.parts[run.part].slotByteCount
        }
        progress(run.extent.byteCount)
      }
      var end = runByteCount
      for (number, layer) in layout.layers.enumerated() {
        for (index, part) in layer.parts.enumerated() where part.conversion != nil {
          for expert in 0..<part.expertCount {
            let count = part.regionByteCount(
              ofExpert: expert, alignment: ReadPlacement.alignmentMax)
            let region = buffer.bytes(atOffset: end, count: count)
            try Self.read(part, ofExpert: expert, to: region, reader)
            converter.convert(
              part, ofExpert: expert, in: region, alignment: ReadPlacement.alignmentMax,
              placement: reader.placement)
            offsets[number][index * part.expertCount + expert] = end
            end += count
            progress(part.storedByteCount)
          }
        }
      }
      try reader.verifyUnchanged()
    } catch {
      throw .store(error.description)
    }
    partOffsets = offsets
  }

  private static func read(
    _ part: ExpertPart, ofExpert expert: Int, to region: ByteView, _ reader: ExtentReader
  ) throws(StoreError) {
    for number in 0..<part.extentCount {
      let start = part.landingOffset(
        number, ofExpert: expert, alignment: ReadPlacement.alignmentMax)
      let pieces = [
        unsafe ReadPart(
          extent: part.extent(number, ofExpert: expert), destination: region.pointer + start,
          capacity: region.count - start)
      ]
      try reader.read(pieces.span)
    }
  }

  package func isResident(layer: Int, expert: Int) -> Bool { true }

  package func beginStep(_ rows: StepRows) { phase = rows.phase }

  package func begin(layer: Int, requests: [ExpertRequest]) {
    self.layer = layer
    self.requests = requests
    wasReturned = false
    statistics[phase].requestCount += requests.count
    statistics[phase].hitCount += requests.count
  }

  package func waitForAny(_ ready: inout [Int]) -> Int {
    ready.removeAll(keepingCapacity: true)
    if !wasReturned { ready.append(contentsOf: requests.indices) }
    wasReturned = true
    return ready.count
  }

  package func wait(for number: Int) {}

  package func weights(of number: Int) -> ExpertWeights {
    let experts = layout.layers[layer]
    let expert = requests[number].expert
    return ExpertWeights(experts) { part in
      buffer.bytes(
        atOffset: partOffsets[layer][part * experts.expertCount + expert],
        count: experts.parts[part].slotByteCount)
    }
  }

  package func release(_ number: Int) {}

  package func end() { requests = [] }

  package func canPrefetch(layer: Int) -> Bool { false }

  package func prefetch(layer: Int, guesses: [ExpertGuess]) {}

  package var loanByteCount: Int { 0 }

  package func setLoan(byteCount: Int) {}

  package func advance() {}

  package var holdsEveryRequest: Bool { true }
}
