import MoECore
import MoEKernels
import MoETestSupport
import Testing

/// What operation tests share: levels, memory with guards, bit patterns.
enum Levels {
  /// Every level that this machine and build have operations for.
  static let all: [InstructionSet] = InstructionSet.allCases.filter {
    ((try? WorkerTeam(workerCount: 1, instructionSet: $0)) ?? nil) != nil
  }

  static func team(_ level: InstructionSet, workers: Int = 1) throws -> WorkerTeam {
    try #require(try WorkerTeam(workerCount: workers, instructionSet: level))
  }
}

/// Floats in memory of their own, between guard values that must not change.
///
/// Starts `offset` elements after an aligned address, so that no kernel can rely on alignment.
@safe final class Floats {
  static let guardCount = 16
  static let guardValue: Float = -12345.5

  private let memory: UnsafeMutablePointer<Float>
  private let start: Int
  let count: Int

  init(count: Int, offset: Int = 0, _ value: (Int) -> Float = { _ in 0 }) {
    start = Self.guardCount + offset
    self.count = count
    let total = start + count + Self.guardCount
    unsafe memory = .allocate(capacity: total)
    unsafe memory.initialize(repeating: Self.guardValue, count: total)
    for index in 0..<count { unsafe memory[start + index] = value(index) }
  }

  convenience init(_ values: [Float], offset: Int = 0) {
    self.init(count: values.count, offset: offset) { values[$0] }
  }

  convenience init(count: Int, offset: Int = 0, random generator: inout SeededGenerator) {
    let values = (0..<count).map { _ in Float(generator.nextGaussian()) }
    self.init(values, offset: offset)
  }

  deinit { unsafe memory.deallocate() }

  var view: FloatView { unsafe FloatView(memory + start, count: count) }

  func rows(_ rowCount: Int, _ columnCount: Int, stride: Int? = nil) -> FloatRows {
    FloatRows(view, rowCount: rowCount, columnCount: columnCount, stride: stride)
  }

  var array: [Float] { view.array() }
  var bits: [UInt32] { array.map(\.bitPattern) }

  var guardsAreIntact: Bool {
    let before = (0..<start).allSatisfy { unsafe memory[$0] == Self.guardValue }
    let after = (start + count..<start + count + Self.guardCount)
      .allSatisfy { unsafe memory[$0] == Self.guardValue }
    return before && after
  }
}

/// Bytes in page-aligned memory of their own.
final class Bytes {
  private let buffer: AlignedBuffer

  init(count: Int) throws { buffer = try AlignedBuffer(byteCount: count) }

  var view: ByteView { buffer.bytes(count: buffer.byteCount) }
  var array: [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: view.pointer, count: view.count))
  }

  func fill(random generator: inout SeededGenerator) {
    for index in 0..<view.count {
      unsafe view.pointer.storeBytes(
        of: UInt8(truncatingIfNeeded: generator.next()), toByteOffset: index, as: UInt8.self)
    }
  }
}

@safe final class Indices {
  private let memory: UnsafeMutablePointer<UInt32>
  private let count: Int

  init(_ values: [Int]) {
    count = values.count
    unsafe memory = .allocate(capacity: max(values.count, 1))
    for (index, value) in values.enumerated() {
      unsafe (memory + index).initialize(to: UInt32(value))
    }
  }

  deinit { unsafe memory.deallocate() }

  var view: IndexView { unsafe IndexView(memory, count: count) }
}

/// Every remainder of the vector loops, then sizes as models have them.
let columnCounts = (Array(1...40) + [63, 64, 65, 100, 256, 2048, 4099]).thinned

/// Largest difference, relative to the larger of one and the largest expected magnitude.
func relativeError(_ found: [Float], _ wanted: [Double]) -> Double {
  let scale = max(wanted.map(abs).max() ?? 0, 1e-30)
  return zip(found, wanted).map { abs(Double($0) - $1) }.max()! / scale
}
