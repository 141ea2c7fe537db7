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
      for: runs(of: layout).byteCount + regionsByteCount(layout))
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
      for (number, part) in experts.parts.enumerated() where !experts.isReadByExpert(number) {
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

  /// Bytes of what something is done with, of each expert in regions of its own.
  private static func regionsByteCount(_ layout: ExpertLayout) -> Int {
    layout.layers.reduce(0) { sum, layer in
      (0..<layer.expertCount).reduce(sum) { sum, expert in
        layer.regions(ofExpert: expert).reduce(sum) { $0 + $1.byteCount }
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
    let byteCount = runByteCount + Self.regionsByteCount(layout)
    let finisher: ExpertFinisher
    do {
      buffer = try AlignedBuffer(byteCount: byteCount)
      finisher = try ExpertFinisher(layout, team: team)
    } catch {
      throw .outOfMemory("the experts do not fit in memory: \(error)")
    }
    team.populate(buffer.bytes(count: byteCount))
    var offsets = layout.layers.map {
      Array(repeating: 0, count: $0.parts.count * $0.expertCount)
    }
    do throws(StoreError) {
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
    } catch {
      throw .store(error.description)
    }
    var end = runByteCount
    for (number, layer) in layout.layers.enumerated() where layer.isFinishedAfterReading {
      for expert in 0..<layer.expertCount {
        let id = ExpertID(layer: number, index: expert)
        let starts = try Self.load(
          id, layer, to: buffer, at: &end, reader: reader, finisher: finisher)
        for (part, start) in starts {
          offsets[number][part * layer.expertCount + expert] = start
        }
        progress(layer.separateByteCount(ofExpert: expert))
      }
    }
    do throws(StoreError) {
      try reader.verifyUnchanged()
    } catch {
      throw .store(error.description)
    }
    partOffsets = offsets
  }

  /// Reads an expert's regions to the buffer from `end` on; returns where its parts are in it.
  private static func load(
    _ expert: ExpertID, _ layer: ExpertLayer, to buffer: borrowing AlignedBuffer, at end: inout Int,
    reader: ExtentReader, finisher: borrowing ExpertFinisher
  ) throws(ExpertError) -> [(part: Int, start: Int)] {
    let alignment = ReadPlacement.alignmentMax
    var starts = [Int](repeating: -1, count: max(layer.parts.count, 1))
    var memory = [Int: ByteView]()
    for region in layer.regions(ofExpert: expert.index) {
      starts[region.number] = end
      memory[region.number] = buffer.bytes(atOffset: end, count: region.byteCount)
      end += region.byteCount
    }
    var parts: [ReadPart] = []
    layer.forEachRead(ofExpert: expert.index, alignment: alignment) { extent, number, offset in
      guard let region = memory[number] else { return }
      parts.append(
        unsafe ReadPart(
          extent: extent, destination: region.pointer + offset, capacity: region.count - offset))
    }
    do throws(StoreError) {
      try reader.read(parts.span)
    } catch {
      throw .store(error.description)
    }
    let nothing = buffer.bytes(count: 0)
    try finisher.finish(
      layer, expert: expert, alignment: alignment, placement: reader.placement, files: reader.files
    ) { memory[$0] ?? nothing }
    return layer.parts.indices.compactMap { part in
      let place = layer.location(ofPart: part, expert: expert.index, placement: reader.placement)
      let start = starts[place.region]
      return start < 0 ? nil : (part, start + place.offset)
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
    return ExpertWeights(experts, expert: expert) { part in
      buffer.bytes(
        atOffset: partOffsets[layer][part * experts.expertCount + expert],
        count: experts.slot(ofPart: part, expert: expert).byteCount)
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

extension ExpertLayer {
  /// Whether each expert's part is read by itself, since something is done with it.
  fileprivate func isReadByExpert(_ part: Int) -> Bool {
    records != nil || parts[part].conversion != nil
  }

  /// The regions of an expert that are read by themselves.
  fileprivate func regions(ofExpert expert: Int) -> [(number: Int, byteCount: Int)] {
    let counts = regionByteCounts(ofExpert: expert, alignment: ReadPlacement.alignmentMax)
    return counts.indices.filter { isReadByExpert($0) }.map { ($0, counts[$0]) }
  }

  /// Bytes that are read for these.
  fileprivate func separateByteCount(ofExpert expert: Int) -> Int {
    records.map { $0[expert].extent.byteCount }
      ?? parts.reduce(0) { $0 + ($1.conversion == nil ? 0 : $1.storedByteCount) }
  }
}
