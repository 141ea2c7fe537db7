internal import CMoEKernelsInterface
package import MoECore

/// Preparing memory, which is as much work as reading weights is.
extension WorkerTeam {
  /// One worker's share of `populate` is found from this.
  @safe private struct PopulateJob {
    var memory: UnsafeMutableRawPointer
    var byteCount: Int
  }

  /// Makes the kernel provide every page of `memory` now, each worker for its part: clearing pages
  /// is work that one thread would be long at.
  package func populate(_ memory: ByteView) {
    guard memory.count > 0 else { return }
    let job = unsafe PopulateJob(memory: memory.pointer, byteCount: memory.count)
    // A page takes about a microsecond.
    unsafe run(
      { argument, worker, workerCount in
        guard let argument = unsafe argument else { return }
        let job = unsafe argument.assumingMemoryBound(to: PopulateJob.self).pointee
        // Cut at huge pages, so that no two workers wait for the same one.
        let unit = AlignedBuffer.hugePageByteCount
        let units = (job.byteCount + unit - 1) / unit
        let begin = min(units * Int(worker) / Int(workerCount) * unit, job.byteCount)
        let end = min(units * (Int(worker) + 1) / Int(workerCount) * unit, job.byteCount)
        unsafe AlignedBuffer.populate(ByteView(job.memory + begin, count: end - begin))
      }, job, cost: memory.count / AlignedBuffer.pageByteCount * 1000, as: .preparation)
  }
}
