private import MoECore
private import MoEPlatform

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

extension ExtentReader {
  /// Takes a tag whose reads are complete, in any order. With `blocking`, waits for one; returns
  /// nil where none is complete or, when blocking, none is pending.
  package func next(blocking: Bool) throws(StoreError) -> Int? {
    try throwFailure()
    // Before handing out what is there, so that the disk has work while the caller computes.
    try advance(waiting: false)
    while completedTags.isEmpty && blocking && pendingTagCount > 0 { try advance(waiting: true) }
    return completedTags.popFirst()
  }

  /// Withdraws what was not sent and waits for what was; then no memory is written to any more.
  /// The tags of all of it are forgotten.
  package func drain() {
    forgetBacklog()
    let start = MonotonicClock.nanoseconds()
    while inFlightCount > 0 {
      // A backend that cannot even wait has nothing under way that it could tell us about.
      guard let count = try? unsafe backend.reap(into: completions, waiting: true) else { break }
      for index in 0..<count {
        let piece = unsafe completions[index].tag
        precondition(table.pieces[piece].isInFlight)
        inFlightCount -= 1
        release(piece)
      }
    }
    counters.waitNanoseconds += Int(MonotonicClock.nanoseconds() - start)
    choice.forgetPending()
    completedTags.removeAll()
  }

  /// Remembers the first error and waits for what is under way, so that memory may be freed.
  func fail(_ error: StoreError) -> StoreError {
    if let failure { return failure }
    failure = error
    drain()
    return error
  }

  /// One turn: send what there is room for, take what has come, send again.
  func advance(waiting: Bool) throws(StoreError) {
    try pump()
    guard inFlightCount > 0 else { return }
    let start = waiting ? MonotonicClock.nanoseconds() : 0
    let count: Int
    do throws(StoreError) {
      count = try unsafe backend.reap(into: completions, waiting: waiting)
    } catch {
      throw fail(error)
    }
    if waiting {
      counters.waitNanoseconds += Int(MonotonicClock.nanoseconds() - start)
      timeline?.add(.diskWait, from: start)
    }
    var firstError: StoreError?
    for index in 0..<count {
      let completion = unsafe completions[index]
      do throws(StoreError) {
        try process(completion)
      } catch {
        firstError = firstError ?? error
        release(completion.tag)
      }
    }
    if let firstError { throw fail(firstError) }
    if count > 0 { try pump() }
  }

  /// Sends as many requests as there is room for: first those to be tried again, then demand, then
  /// prefetch.
  func pump() throws(StoreError) {
    var count = 0
    while inFlightCount < limits.depth, let index = retries.popFirst() ?? cutPiece() {
      table.pieces[index].isInFlight = true
      inFlightCount += 1
      table.pieces[index].disk = choice.take(
        byteCount: table.pieces[index].alignedEnd - table.pieces[index].offset)
      let piece = table.pieces[index]
      unsafe (requests + count).initialize(
        to: StoreRequest(
          fileIndex: copyIndex(of: piece), offset: piece.offset,
          byteCount: piece.alignedEnd - piece.offset, destination: piece.destination, tag: index))
      count += 1
    }
    guard count > 0 else { return }
    counters.requestCount += count
    counters.inFlightCountMax = max(counters.inFlightCountMax, inFlightCount)
    do throws(StoreError) {
      try unsafe backend.submit(UnsafeBufferPointer(start: requests, count: count))
    } catch {
      // The backend took none of them.
      for index in 0..<count { release(unsafe requests[index].tag) }
      inFlightCount -= count
      throw fail(error)
    }
  }

  /// Where the copy that a request reads is among all open files.
  private func copyIndex(of piece: Piece) -> Int { piece.disk * files.count + piece.fileIndex }

  /// Takes the next request from the backlog; nil where there is none or no room for it.
  private func cutPiece() -> Int? {
    let demand = table.firstGroup(.demand)
    let prefetch = prefetchPieceCount < prefetchDepth ? table.firstGroup(.prefetch) : nil
    guard let group = demand ?? prefetch else { return nil }
    let part = table.groups[group].firstPart
    let source = table.parts[part]
    let end = cutEnd(of: source)
    guard
      let index = table.takePiece(
        unsafe Piece(
          group: group, fileIndex: source.fileIndex, offset: source.offset, alignedEnd: end,
          neededEnd: min(end, source.neededEnd), destination: source.destination))
    else { return nil }
    table.groups[group].pieceCount += 1
    table.groups[group].isStarted = true
    if demand == nil { prefetchPieceCount += 1 }
    if end < source.alignedEnd {
      table.parts[part].offset = end
      unsafe table.parts[part].destination += end - source.offset
    } else {
      table.removeFirstPart(ofGroup: group)
      if table.groups[group].firstPart < 0 { table.unlink(group) }
    }
    return index
  }

  /// Cuts what is left of a part into as few requests as possible, all of about the same size.
  private func cutEnd(of part: PendingPart) -> Int {
    let left = part.alignedEnd - part.offset
    let count = (left + limits.maxRequestByteCount - 1) / limits.maxRequestByteCount
    let size = ((left + count - 1) / count).alignedUp(to: placement.alignment)
    return min(part.offset + size, part.alignedEnd)
  }

  private func process(_ completion: StoreCompletion) throws(StoreError) {
    let index = completion.tag
    precondition(table.pieces[index].isInFlight)
    table.pieces[index].isInFlight = false
    inFlightCount -= 1
    let piece = table.pieces[index]
    choice.give(
      back: piece.alignedEnd - piece.offset, came: max(0, completion.result), from: piece.disk)
    guard completion.result >= 0 else {
      let code = Int32(truncatingIfNeeded: -completion.result)
      guard Self.isTransient(code) else {
        return try readElsewhere(
          index,
          after: .readFailed(
            path: copies[copyIndex(of: piece)].path, offset: piece.offset,
            byteCount: piece.alignedEnd - piece.offset, code: code))
      }
      return try tryAgain(index, code: code)
    }
    leaveOutSlowCopy()
    precondition(completion.result <= piece.alignedEnd - piece.offset)
    counters.readByteCount += completion.result
    let reached = piece.offset + completion.result
    if reached >= piece.neededEnd { return release(index) }
    if completion.result == 0 {
      return try readElsewhere(
        index,
        after: .fileTruncated(
          path: copies[copyIndex(of: piece)].path, offset: piece.offset,
          byteCount: piece.neededEnd - piece.offset))
    }
    // A direct read must start at an aligned place again, so a few bytes may come twice.
    let progress = reached.alignedDown(to: placement.alignment) - piece.offset
    guard progress > 0 else { return try tryAgain(index, code: 0) }
    table.pieces[index].offset += progress
    unsafe table.pieces[index].destination += progress
    table.pieces[index].attemptCount = 0
    counters.retryCount += 1
    retries.append(index)
  }

  /// Sends a request that its copy cannot serve to another one, and nothing more to that copy;
  /// throws the error where there is no other.
  private func readElsewhere(_ index: Int, after error: StoreError) throws(StoreError) {
    let reason = "a copy is left out: \(error)"
    guard choice.leaveOut(table.pieces[index].disk, because: reason) else { throw error }
    table.pieces[index].attemptCount = 0
    counters.retryCount += 1
    retries.append(index)
  }

  private func leaveOutSlowCopy() {
    guard choice.diskCount > 1, let slow = choice.tooSlow() else { return }
    let path = copies[slow.number * files.count].path
    _ = choice.leaveOut(
      slow.number,
      because: "a copy is left out: \(path) answers \(slow.factor) times slower than another")
  }

  /// Queues a request that made no progress once more; `code` 0 says that it was short.
  private func tryAgain(_ index: Int, code: Int32) throws(StoreError) {
    table.pieces[index].attemptCount += 1
    let piece = table.pieces[index]
    guard piece.attemptCount < limits.attemptCountMax else {
      let path = copies[copyIndex(of: piece)].path
      let byteCount = piece.neededEnd - piece.offset
      if code == 0, let identity = try? backend.identity(ofFile: copyIndex(of: piece)),
        identity.byteCount < piece.neededEnd
      {
        throw .fileTruncated(path: path, offset: piece.offset, byteCount: byteCount)
      }
      throw .retriesExhausted(
        path: path, offset: piece.offset, byteCount: byteCount, code: code,
        count: piece.attemptCount)
    }
    if piece.attemptCount > 3 && limits.pauseNanoseconds > 0 {
      var pause = timespec(tv_sec: 0, tv_nsec: limits.pauseNanoseconds * piece.attemptCount)
      unsafe nanosleep(&pause, nil)
    }
    counters.retryCount += 1
    retries.append(index)
  }

  /// Errors that say nothing of the file or the disk. ECANCELED comes where the thread that
  /// submitted has ended in the meantime.
  private static func isTransient(_ code: Int32) -> Bool {
    code == EINTR || code == EAGAIN || code == EWOULDBLOCK || code == ECANCELED
  }

  private func release(_ index: Int) {
    let group = table.pieces[index].group
    table.freePiece(index)
    table.groups[group].pieceCount -= 1
    if table.groups[group].priority == .prefetch { prefetchPieceCount -= 1 }
    finishIfDone(group)
  }

  /// Queues the tag of a group that has nothing left to read, and gives back its place.
  func finishIfDone(_ index: Int) {
    let group = table.groups[index]
    guard group.firstPart < 0, group.pieceCount == 0, !group.isSynchronous else { return }
    timeline?.end(group.timelineRead, isWithdrawn: !group.isStarted)
    completedTags.append(group.tag)
    pendingTagCount -= 1
    table.freeGroup(index)
  }

  /// Drops what was not sent; what waits to be tried again counts as not sent.
  private func forgetBacklog() {
    for priority in [ReadPriority.demand, .prefetch] {
      while let group = table.firstGroup(priority) {
        table.unlink(group)
        table.removeParts(ofGroup: group)
        if table.groups[group].pieceCount == 0 { finishIfDone(group) }
      }
    }
    while let index = retries.popFirst() { release(index) }
  }
}
