private import Dispatch

/// Works on independent parts with all cores, and puts together what each gives.
///
/// - Parameters:
///   - count: Parts.
///   - initial: What there is before any part.
///   - work: Called for each part, on any thread.
///   - combine: Called for each part once its work is done, one at a time and in any order: what it
///     makes of them may not depend on that.
func concurrently<Sum: Sendable, Part: Sendable>(
  _ count: Int, into initial: Sum, _ work: @Sendable (Int) -> Part,
  combine: @Sendable (inout Sum, _ part: Int, Part) -> Void
) -> Sum {
  nonisolated(unsafe) var sum = initial
  // ThreadSanitizer does not see a Mutex being waited for, since that is in the standard library.
  let inTurn = DispatchQueue(label: "combine")
  DispatchQueue.concurrentPerform(iterations: count) { index in
    let part = work(index)
    inTurn.sync { unsafe combine(&sum, index, part) }
  }
  return unsafe sum
}

/// (part): what `work` gives for each of them, found with all cores.
func concurrently<Part: Sendable>(_ count: Int, _ work: @Sendable (Int) -> Part) -> [Part] {
  let parts = concurrently(count, into: [Part?](repeating: nil, count: count), work) {
    $0[$1] = $2
  }
  return parts.compactMap(\.self)
}
