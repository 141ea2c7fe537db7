import MoECore

/// How a pool of experts is divided into slots.
///
/// Experts of different layers can differ in size (mixed quantisation), so slots come in classes:
/// all layers whose experts take the same bytes share one. Slots of a class are equal, so the pool
/// never fragments. A slot has a region for each part of an expert, or one for all that are read in
/// one piece, with room for its bytes widened to whole blocks of the file, as direct reads need.
package struct PoolLayout: Sendable {
  package struct SizeClass: Sendable, Equatable {
    /// Bytes of the slot's regions; multiples of the alignment.
    package var regionByteCounts: [Int]
    /// Numbers of the layers, as in the file.
    package var layers: [Int]
    package var expertCount: Int
    /// Experts that one token takes in a layer, the most of any of the layers.
    package var expertsPerToken: Int

    package var slotByteCount: Int { regionByteCounts.reduce(0, +) }
  }

  package let classes: [SizeClass]
  /// (layer): which class its experts are in; nil for a dense layer.
  package let classOfLayer: [Int?]
  /// Direct reads are aligned to this at most; what is planned with it fits every backend.
  package let alignment: Int

  /// - Parameter alignment: A multiple of the reader's alignment and of the page size.
  package init(_ layout: ExpertLayout, alignment: Int = AlignedBuffer.pageByteCount) {
    precondition(alignment > 0 && alignment % AlignedBuffer.pageByteCount == 0)
    var classes: [SizeClass] = []
    var classOfLayer: [Int?] = []
    var sizes: [[Int]] = []
    var isRecorded: [Bool] = []
    for (index, layer) in layout.layers.enumerated() {
      guard layer.expertCount > 0 else {
        classOfLayer.append(nil)
        continue
      }
      let size = layer.parts.map(\.slotByteCount)
      let regions = layer.regionByteCounts(alignment: alignment)
      let found = sizes.indices.first {
        sizes[$0] == size && isRecorded[$0] == (layer.records != nil)
      }
      if let found {
        classes[found].layers.append(index)
        classes[found].expertCount += layer.expertCount
        classes[found].expertsPerToken = max(
          classes[found].expertsPerToken, layer.expertsPerToken)
        classes[found].regionByteCounts = zip(classes[found].regionByteCounts, regions).map(max)
        classOfLayer.append(found)
      } else {
        classOfLayer.append(classes.count)
        sizes.append(size)
        isRecorded.append(layer.records != nil)
        classes.append(
          SizeClass(
            regionByteCounts: regions, layers: [index], expertCount: layer.expertCount,
            expertsPerToken: layer.expertsPerToken))
      }
    }
    self.classes = classes
    self.classOfLayer = classOfLayer
    self.alignment = alignment
  }

  /// The class of a layer that has experts.
  package func sizeClass(ofLayer layer: Int) -> Int {
    guard let sizeClass = classOfLayer[layer] else {
      preconditionFailure("layer \(layer) has no experts")
    }
    return sizeClass
  }

  /// Slots that each class needs for one token's step on a layer.
  private var floorSlotCounts: [Int] { classes.map(\.expertsPerToken) }

  /// The smallest pool that a step can run with.
  package var floorByteCount: Int { byteCount(slotCounts: floorSlotCounts) }

  /// The pool that holds every expert.
  package var fullByteCount: Int { byteCount(slotCounts: classes.map(\.expertCount)) }

  private func byteCount(slotCounts: [Int]) -> Int {
    zip(classes, slotCounts).reduce(0) { $0 + $1.0.slotByteCount * $1.1 }
  }

  package func byteCount(_ slots: PoolSlots) -> Int { byteCount(slotCounts: slots.all) }

  /// Staging slots: one of so many, and no more than this of a class. What they hold is not cached,
  /// so they must cost less in hits than they save in waiting.
  private static let (slotsPerStagingSlot, stagingSlotCountMax) = (48, 4)

  /// The slots of each class in a pool of at most `byteCount` bytes; nil below the floor.
  ///
  /// - Parameters:
  ///   - stagingSlotCount: Of these, how many of a class are for prefetches, as far as the floor
  ///     allows. Nil: derived.
  ///   - loanByteCount: Memory besides, which may be taken back.
  package func slots(
    byteCount: Int, stagingSlotCount: Int? = nil, loanByteCount: Int = 0
  ) -> PoolSlots? {
    guard let counts = slotCounts(byteCount: byteCount) else { return nil }
    let staging = classes.indices.map { index in
      let (count, floor) = (counts[index], floorSlotCounts[index])
      let derived = min((count - floor) / Self.slotsPerStagingSlot, Self.stagingSlotCountMax)
      return min(stagingSlotCount ?? derived, count - floor, classes[index].expertCount - count)
    }
    return PoolSlots(
      cached: zip(counts, staging).map { $0 - $1 }, staging: staging,
      lent: lentClasses(byteCount: loanByteCount, besides: counts))
  }

  /// The classes of slots that lie side by side in lent memory, each going to the class that is
  /// covered least, so that any part of it from the start on serves all classes.
  private func lentClasses(byteCount: Int, besides counts: [Int]) -> [Int] {
    var (rest, counts, lent) = (byteCount, counts, [Int]())
    while true {
      let open = classes.indices.filter {
        counts[$0] < classes[$0].expertCount && classes[$0].slotByteCount <= rest
      }
      guard let least = open.min(by: { coverage($0, counts) < coverage($1, counts) }) else {
        return lent
      }
      lent.append(least)
      counts[least] += 1
      rest -= classes[least].slotByteCount
    }
  }

  /// The same share of every class's experts, what is left over going to the class that is covered
  /// least.
  private func slotCounts(byteCount: Int) -> [Int]? {
    guard byteCount >= floorByteCount else { return nil }
    let share = min(1, Double(byteCount) / Double(fullByteCount))
    var counts = zip(classes, floorSlotCounts).map { sizeClass, floor in
      max(floor, min(sizeClass.expertCount, Int(share * Double(sizeClass.expertCount))))
    }
    // Floors may have pushed the sum over: take from the class that is covered most.
    while self.byteCount(slotCounts: counts) > byteCount {
      guard
        let most = classes.indices.filter({ counts[$0] > floorSlotCounts[$0] })
          .max(by: { coverage($0, counts) < coverage($1, counts) })
      else { return nil }
      counts[most] -= 1
    }
    while true {
      let rest = byteCount - self.byteCount(slotCounts: counts)
      let open = classes.indices.filter {
        counts[$0] < classes[$0].expertCount && classes[$0].slotByteCount <= rest
      }
      guard let least = open.min(by: { coverage($0, counts) < coverage($1, counts) }) else { break }
      counts[least] += 1
    }
    return counts
  }

  private func coverage(_ index: Int, _ counts: [Int]) -> Double {
    Double(counts[index]) / Double(classes[index].expertCount)
  }
}

/// How many slots of each class a pool has.
package struct PoolSlots: Sendable, Equatable {
  /// (class): slots that the cache decides over.
  package var cached: [Int]
  /// (class): slots into which experts are prefetched, before a step asks for them.
  package var staging: [Int]
  /// Classes of the slots in lent memory, in the order in which they lie there. The cache decides
  /// over them too, as long as they are there.
  package var lent: [Int]

  package init(cached: [Int], staging: [Int], lent: [Int] = []) {
    precondition(cached.count == staging.count)
    self.cached = cached
    self.staging = staging
    self.lent = lent
  }

  /// (class): those that nobody can take back.
  package var all: [Int] { zip(cached, staging).map { $0 + $1 } }
  /// (class): those that the cache decides over while everything is lent.
  package var cachedAndLent: [Int] {
    cached.indices.map { sizeClass in cached[sizeClass] + lent.count { $0 == sizeClass } }
  }
}
