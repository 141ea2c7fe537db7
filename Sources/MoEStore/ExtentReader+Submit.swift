package import MoECore

extension ExtentReader {
  /// Asks for all parts to be read; `next` returns the tag when all of them are there.
  ///
  /// Returns at once. Tags should differ while they are pending. Parts that follow each other both
  /// in the file and in memory become one read. Throws `extentOutsideFile`, or `backlogFull` where
  /// the reader was not made for so many at once; nothing was submitted then and the reader goes on
  /// working. A timeline shows the read as that of `expert`.
  package func submit(
    tag: Int, parts: Span<ReadPart>, priority: ReadPriority = .demand, expert: ExpertID? = nil
  ) throws(StoreError) {
    try throwFailure()
    for index in parts.indices { try check(parts[index]) }
    guard pendingTagCount + completedTags.count < limits.tagCapacity else {
      throw .backlogFull(limit: limits.tagCapacity, of: "tags")
    }
    guard parts.count <= table.freePartCount else {
      throw .backlogFull(limit: limits.partCapacity, of: "parts")
    }
    pendingTagCount += 1
    let group = table.takeGroup(Group(tag: tag, priority: priority))
    for index in parts.indices { add(parts[index], toGroup: group) }
    if let timeline { show(group, parts, expert: expert, on: timeline) }
    if table.groups[group].firstPart >= 0 { table.link(group) } else { finishIfDone(group) }
    try pump()
  }

  /// Whether so many submissions more, of so many parts in all, would not be refused.
  package func hasRoom(tagCount: Int, partCount: Int) -> Bool {
    tagCount <= limits.tagCapacity - pendingTagCount - completedTags.count
      && partCount <= table.freePartCount
  }

  /// Withdraws a prefetch of which nothing was sent. Returns whether it did; if not, the tag (if it
  /// is pending) completes as ever.
  package func cancel(tag: Int) -> Bool {
    guard let group = table.group(withTag: tag, .prefetch), !table.groups[group].isStarted else {
      return false
    }
    table.unlink(group)
    table.removeParts(ofGroup: group)
    timeline?.end(table.groups[group].timelineRead, isWithdrawn: true)
    table.freeGroup(group)
    pendingTagCount -= 1
    return true
  }

  /// Makes a pending prefetch a demand: what of it was not sent yet goes behind earlier demands.
  /// Does nothing where all of it was sent.
  package func promote(tag: Int) throws(StoreError) {
    try throwFailure()
    guard let group = table.group(withTag: tag, .prefetch) else { return }
    table.unlink(group)
    table.groups[group].priority = .demand
    table.link(group)
    prefetchPieceCount -= table.groups[group].pieceCount
    try pump()
  }

  /// Reads all parts, with the queue kept full, and returns when they are there. For weights that
  /// are read once at load; any number of parts. Other reads may be pending; they go on.
  package func read(_ parts: Span<ReadPart>) throws(StoreError) {
    try throwFailure()
    for index in parts.indices { try check(parts[index]) }
    let group = table.takeGroup(Group(isSynchronous: true))
    var added = 0
    while added < parts.count {
      let wasEmpty = table.groups[group].firstPart < 0
      while added < parts.count && table.freePartCount > 0 {
        add(parts[added], toGroup: group)
        added += 1
      }
      if wasEmpty && table.groups[group].firstPart >= 0 { table.link(group) }
      if added < parts.count { try advance(waiting: true) }
    }
    while table.groups[group].firstPart >= 0 || table.groups[group].pieceCount > 0 {
      try advance(waiting: true)
    }
    table.freeGroup(group)
  }

  private func check(_ part: ReadPart) throws(StoreError) {
    let extent = part.extent
    guard files.indices.contains(extent.fileIndex) else {
      throw .extentOutsideFile(
        path: "file number \(extent.fileIndex)", offset: extent.offset,
        byteCount: extent.byteCount, fileByteCount: 0)
    }
    let file = files[extent.fileIndex]
    guard extent.offset >= 0, extent.byteCount >= 0, extent.offset <= file.byteCount,
      extent.byteCount <= file.byteCount - extent.offset
    else {
      throw .extentOutsideFile(
        path: file.path, offset: extent.offset, byteCount: extent.byteCount,
        fileByteCount: file.byteCount)
    }
    precondition(unsafe Int(bitPattern: part.destination) % ReadPlacement.alignmentMax == 0)
    precondition(extent.byteCount == 0 || placement.readByteCount(for: extent) <= part.capacity)
  }

  private func show(
    _ group: Int, _ parts: Span<ReadPart>, expert: ExpertID?, on timeline: Timeline
  ) {
    var byteCount = 0
    for index in parts.indices { byteCount += parts[index].extent.byteCount }
    table.groups[group].timelineRead = timeline.beginRead(
      of: expert, byteCount: byteCount, isPrefetch: table.groups[group].priority == .prefetch)
  }

  private func add(_ part: ReadPart, toGroup group: Int) {
    let extent = part.extent
    guard extent.byteCount > 0 else { return }
    let start = extent.offset - placement.phase(of: extent)
    let alignedEnd = start + placement.readByteCount(for: extent)
    let last = table.groups[group].lastPart
    if last >= 0 {
      let before = table.parts[last]
      let distance = unsafe part.destination - before.destination
      // One run of the file that goes to one run of memory: one read.
      if before.fileIndex == extent.fileIndex, distance == start - before.offset,
        start >= before.offset, start <= before.alignedEnd
      {
        table.parts[last].alignedEnd = max(before.alignedEnd, alignedEnd)
        table.parts[last].neededEnd = max(before.neededEnd, extent.offset + extent.byteCount)
        return
      }
    }
    table.append(
      unsafe PendingPart(
        fileIndex: extent.fileIndex, offset: start, alignedEnd: alignedEnd,
        neededEnd: extent.offset + extent.byteCount, destination: part.destination),
      toGroup: group)
  }
}
