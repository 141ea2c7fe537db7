package import MoECache
package import MoECore
package import MoEKernels
package import MoEStore

/// All experts in memory, read once at load: what runs when the model fits, and the oracle that the
/// offloaded source is tested against.
package final class ResidentExperts: ExpertSource {
  package let layout: ExpertLayout
  private let buffer: AlignedBuffer
  /// (layer, matrix): where the stack's bytes begin in the buffer.
  private let stackOffsets: [[Int]]
  private var requests: [ExpertRequest] = []
  private var layer = 0
  private var phase = InferencePhase.prefill
  private var wasReturned = false
  package private(set) var statistics = ExpertStatistics()

  /// What the experts take from the memory budget.
  package static func byteCount(_ layout: ExpertLayout) -> Int {
    AlignedBuffer.mappedByteCount(for: offsets(layout).byteCount)
  }

  private static func offsets(_ layout: ExpertLayout) -> (offsets: [[Int]], byteCount: Int) {
    // Planned for the largest alignment, which is enough for every other.
    let placement = ReadPlacement(alignment: PoolLayout.alignment)
    var end = 0
    let offsets = layout.layers.map { layer in
      ExpertMatrix.allCases.map { matrix in
        defer { end += placement.slotByteCount(for: layer[matrix].extent) }
        return end
      }
    }
    return (offsets, end)
  }

  /// Reads every expert.
  package init(
    _ layout: ExpertLayout, reader: ExtentReader, team: WorkerTeam,
    progress: (_ byteCount: Int) -> Void = { _ in }
  ) throws(ExpertError) {
    self.layout = layout
    let (starts, byteCount) = Self.offsets(layout)
    do {
      buffer = try AlignedBuffer(byteCount: byteCount)
    } catch {
      throw .outOfMemory("the experts do not fit in memory: \(error)")
    }
    team.populate(buffer.bytes(count: byteCount))
    var offsets = starts
    do {
      for (index, layer) in layout.layers.enumerated() {
        for matrix in ExpertMatrix.allCases {
          let extent = layer[matrix].extent
          let start = starts[index][matrix.rawValue]
          let region = buffer.bytes(
            atOffset: start, count: reader.placement.slotByteCount(for: extent))
          let parts = [
            unsafe ReadPart(
              extent: extent, destination: region.pointer, capacity: region.count)
          ]
          try reader.read(parts.span)
          offsets[index][matrix.rawValue] = start + reader.placement.phase(of: extent)
          progress(extent.byteCount)
        }
      }
      try reader.verifyUnchanged()
    } catch {
      throw .store(error.description)
    }
    stackOffsets = offsets
  }

  package func isResident(layer: Int, expert: Int) -> Bool { true }

  package func beginPass(tokenCount: Int, phase: InferencePhase) { self.phase = phase }

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
    let expert = requests[number].expert
    func matrix(_ kind: ExpertMatrix) -> QuantizedMatrix {
      let stack = layout.layers[layer][kind]
      let size = stack.byteCountPerExpert
      let bytes = buffer.bytes(
        atOffset: stackOffsets[layer][kind.rawValue] + expert * size, count: size)
      return QuantizedMatrix(
        format: stack.format, bytes: bytes, rowCount: stack.rowCount,
        columnCount: stack.columnCount)
    }
    return ExpertWeights(gate: matrix(.gate), up: matrix(.up), down: matrix(.down))
  }

  package func release(_ number: Int) {}

  package func end() { requests = [] }

  package func canPrefetch(layer: Int) -> Bool { false }

  package func prefetch(layer: Int, guesses: [ExpertGuess]) {}

  package var loanByteCount: Int { 0 }

  package func setLoan(byteCount: Int) {}

  package func advance() {}

  package func simultaneousExpertCount(layer: Int) -> Int { layout.layers[layer].expertCount }
}
