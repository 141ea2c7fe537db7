import MoEPlatform

/// How a batch's files are left.
extension Batch {
  /// Ends a batch of which all is done, or the work on the rest; the output is anybody's then.
  package func finish() throws(BatchError) {
    try BatchError.filing { () throws(FileError) in try output?.synchronize() }
    if options.isOrdered, index.waitingCount == 0 { try putInOrder() }
    output = nil
  }

  /// Writes the output anew, in the order of the input; lines of requests that are no more in it
  /// come last, and what was said of lines that are others now is left out.
  private func putInOrder() throws(BatchError) {
    guard let output else { return }
    let places = index.entries.compactMap(\.output) + index.strays
    let byteCount = places.reduce(0) { $0 + $1.byteCount + 1 }
    let isInOrder = zip(places, places.dropFirst()).allSatisfy { $0.offset < $1.offset }
    if isInOrder, byteCount == output.byteCount { return }
    try BatchError.filing { () throws(FileError) in
      let file = try ReplacementFile(output.file.path)
      try file.checkRoom(for: byteCount)
      for (offset, count) in places {
        let line = try output.file.bytes(at: offset, count: count + 1)
        try file.write(line.span)
      }
      try file.commit()
    }
  }
}
