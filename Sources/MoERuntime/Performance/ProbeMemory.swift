import MoECache
import MoECore
import MoEExperts
import MoEKernels
import MoEStore

/// Memory that stands for weights: regions are handed out in turn, so that what is read again was
/// read long ago and comes from memory.
final class ProbeMemory {
  /// As direct reads and pages want it.
  static let alignment = ReadPlacement.alignmentMax
  /// What it is full of: a normal number in each float format and scale. Zero would be MXFP4's
  /// smallest scale, a subnormal number, which processors multiply slowly.
  private static let byte: UInt8 = 0x3C

  private let buffer: AlignedBuffer
  private var offset = 0
  /// By columns: what stands for matrices that stay coded, in which not every byte will do.
  private let coded: [Int: ProbeCodes]

  /// - Parameter codedRowCounts: By columns of such matrices, the rows that they have at most.
  init(
    byteCount: Int, codedRowCounts: [Int: Int] = [:], team: WorkerTeam
  ) throws(OutOfMemory) {
    var coded: [Int: ProbeCodes] = [:]
    for (columnCount, rowCount) in codedRowCounts {
      coded[columnCount] = try ProbeCodes(
        columnCount: columnCount, rowCount: rowCount,
        byteCount: byteCount / (2 * codedRowCounts.count))
    }
    self.coded = coded
    buffer = try AlignedBuffer(byteCount: byteCount)
    team.populate(buffer.bytes(count: byteCount))
    buffer.bytes(count: byteCount).fill(with: Self.byte)
  }

  var byteCount: Int { buffer.byteCount }

  /// All of it; valid while this lives.
  var bytes: ByteView { buffer.bytes(count: buffer.byteCount) }

  /// The next region, at a multiple of `alignment`; it may overlap regions handed out before.
  func next(_ byteCount: Int) -> ByteView {
    precondition(byteCount <= buffer.byteCount)
    if offset + byteCount > buffer.byteCount { offset = 0 }
    defer {
      offset = (offset + byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
    }
    return buffer.bytes(atOffset: offset, count: byteCount)
  }

  /// The next region with rows of a format.
  func rows(_ format: QuantFormat, rowCount: Int, columnCount: Int) -> ByteView {
    guard format == .qmoe else {
      return next(rowCount * format.rowByteCount(columnCount: columnCount))
    }
    guard let codes = coded[columnCount] else {
      preconditionFailure("nobody asked for coded rows of \(columnCount) columns")
    }
    return codes.next(rowCount)
  }

  func matrix(_ format: QuantFormat, rowCount: Int, columnCount: Int) -> QuantizedMatrix {
    QuantizedMatrix(
      format: format, bytes: rows(format, rowCount: rowCount, columnCount: columnCount),
      rowCount: rowCount, columnCount: columnCount)
  }
}

/// Experts that are always there and come from anywhere in the probe's memory, each time from
/// another place.
final class ProbeExperts: ExpertSource {
  var loanByteCount: Int { 0 }
  let layout: ExpertLayout
  let statistics = ExpertStatistics()
  private let memory: ProbeMemory
  private var layer = 0
  private var requests: [ExpertRequest] = []
  private var wasReturned = false

  init(_ layout: ExpertLayout, memory: ProbeMemory) {
    self.layout = layout
    self.memory = memory
  }

  func isResident(layer: Int, expert: Int) -> Bool { true }
  func beginStep(_ rows: StepRows) {}

  func begin(layer: Int, requests: [ExpertRequest]) {
    self.layer = layer
    self.requests = requests
    wasReturned = false
  }

  func waitForAny(_ ready: inout [Int]) -> Int {
    ready.removeAll(keepingCapacity: true)
    if !wasReturned { ready.append(contentsOf: requests.indices) }
    wasReturned = true
    return ready.count
  }

  func wait(for number: Int) {}

  func weights(of number: Int) -> ExpertWeights {
    let experts = layout.layers[layer]
    let expert = requests[number].expert
    return ExpertWeights(experts, expert: expert) { index in
      let part = experts.parts[index]
      return memory.rows(
        experts.slot(ofPart: index, expert: expert).format, rowCount: part.rowCount,
        columnCount: part.columnCount)
    }
  }

  func release(_ number: Int) {}

  func end() {}

  var holdsEveryRequest: Bool { true }

  /// So that what guessing costs is part of what is timed.
  func canPrefetch(layer: Int) -> Bool { true }

  func prefetch(layer: Int, guesses: [ExpertGuess]) {}

  func setLoan(byteCount: Int) {}
  func advance() {}
}
