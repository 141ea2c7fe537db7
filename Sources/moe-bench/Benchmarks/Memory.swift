private import Dispatch
internal import MoECore
internal import MoEKernels

/// How fast the machine reads memory at all: the measure of every kernel that streams.
enum MemoryBenchmark {
  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    [benchmark(context)]
  }

  /// Gigabytes per second that all threads together read from memory in the fastest tenth of the
  /// runs: the machine's peak, which other programs lower less often than the median.
  static func readRate(_ context: BenchmarkContext, _ harness: Harness) throws -> Double {
    let result = try harness.measure(benchmark(context))
    return Double(result.byteCount) / result.low
  }

  private static func benchmark(_ context: BenchmarkContext) -> Benchmark {
    Benchmark(name: "memory/read") {
      // Much larger than any cache.
      let byteCount = context.size(1 << 29, toy: 1 << 16)
      let memory = try BenchmarkMemory(byteCount: byteCount)
      // Read by all threads at once; each writes its own sum.
      nonisolated(unsafe) let words = memory.bytes
      for offset in stride(from: 0, to: byteCount, by: 8) {
        unsafe words.pointer.storeBytes(of: UInt64(offset), toByteOffset: offset, as: UInt64.self)
      }
      let threadCount = context.team.workerCount
      let sumMemory = try BenchmarkMemory(byteCount: 8 * threadCount)
      nonisolated(unsafe) let sums = sumMemory.bytes
      return Benchmark.Prepared(
        byteCount: byteCount, memory: [memory, sumMemory],
        run: {
          DispatchQueue.concurrentPerform(iterations: threadCount) { index in
            let share = byteCount / threadCount / 256 * 256
            let end = index + 1 == threadCount ? byteCount : share * (index + 1)
            let sum = unsafe sum(words.slice(share * index, count: end - share * index))
            unsafe sums.pointer.storeBytes(of: sum, toByteOffset: 8 * index, as: UInt64.self)
          }
        },
        isRight: {
          let count = UInt64(byteCount / 8)
          let total = (0..<threadCount).reduce(UInt64(0)) {
            unsafe $0 &+ sums.pointer.load(fromByteOffset: 8 * $1, as: UInt64.self)
          }
          return total == count * (count - 1) / 2 * 8
        })
    }
  }

  /// The sum of all words; four vectors at a time keep enough reads in flight.
  private static func sum(_ bytes: ByteView) -> UInt64 {
    typealias Vector = SIMD8<UInt64>
    var sums = (Vector(), Vector(), Vector(), Vector())
    for offset in stride(from: 0, to: bytes.count, by: 256) {
      unsafe sums.0 &+= bytes.pointer.load(fromByteOffset: offset, as: Vector.self)
      unsafe sums.1 &+= bytes.pointer.load(fromByteOffset: offset + 64, as: Vector.self)
      unsafe sums.2 &+= bytes.pointer.load(fromByteOffset: offset + 128, as: Vector.self)
      unsafe sums.3 &+= bytes.pointer.load(fromByteOffset: offset + 192, as: Vector.self)
    }
    return (sums.0 &+ sums.1 &+ sums.2 &+ sums.3).wrappedSum()
  }
}
