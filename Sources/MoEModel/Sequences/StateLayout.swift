import MoECore
package import MoEKernels

/// How what sequences keep, layer by layer, is laid out in pages.
///
/// A page holds some positions of all layers of a group: those that keep every position, or those
/// that see the same window. A page is, for each of the group's layers, the keys, (keyValueHead,
/// position in the page, headDimension), then the values. A window's pages go round: a sequence
/// takes so many of them that the window of the rows in progress fits, and no more.
package struct StateLayout: Sendable, Equatable {
  /// Layers whose positions lie in the same pages.
  package struct Group: Sendable, Equatable {
    /// Positions of the past that are seen; nil: all.
    package let window: Int?
    package let pagePositionCount: Int
    /// How many pages go round; nil: every position keeps its own.
    package let ringPageCount: Int?
    /// The most pages of one sequence.
    package let pageCountPerSequence: Int
    /// Those of all sequences.
    package let pageCount: Int
    /// Bytes from a page to the next: whole pages of the system, huge ones for large pages.
    package let pageByteStride: Int
    package let layers: [Int]

    /// Pages that hold the first so many positions.
    package func pageCount(positions: Int) -> Int {
      let pages = (positions + pagePositionCount - 1) / pagePositionCount
      return min(pages, ringPageCount ?? pages)
    }

    /// Bytes of the first so many pages as the system maps them: where all are large together,
    /// small ones share huge pages.
    package func mappedByteCount(pageCount: Int) -> Int {
      let byteCount = pageCount * pageByteStride
      if byteCount == 0 || self.pageCount * pageByteStride < AlignedBuffer.hugePageByteCount {
        return byteCount
      }
      return AlignedBuffer.mappedByteCount(for: max(byteCount, AlignedBuffer.hugePageByteCount))
    }

    package var mappedByteCount: Int { mappedByteCount(pageCount: pageCount) }
  }

  /// Where one layer's keys and values are.
  package struct Location: Sendable, Equatable {
    package let group: Int
    /// Bytes from a page's start.
    package let keyOffset: Int
    package let valueOffset: Int
    package let attention: AttentionDescription
  }

  package let type: KVType
  /// Positions of one sequence.
  package let contextLength: Int
  /// Sequences at a time.
  package let sequenceCount: Int
  /// Rows of one sequence that a layer may take in before any of them looks back.
  package let tileRowCount: Int
  package private(set) var groups: [Group] = []
  /// By layer.
  package private(set) var locations: [Location]
  /// Floats that attention over long pasts works with (`KVView.partialCount`), of one row of each
  /// sequence.
  package let partialCount: Int

  /// Positions of a page of layers that keep all: few enough that little is held in advance, and
  /// enough that a page's first key is seldom fetched without notice.
  private static let pagePositionCount = 256
  /// Of a page that goes round: the fewest that attention takes, so that little is kept beyond the
  /// window.
  private static let ringPagePositionCount = KVView.pageGrain

  /// - Parameter tileRowCount: Rows of one sequence that a layer takes in before any of them looks
  ///   back; a window's pages hold them besides.
  package init(
    _ description: ModelDescription, contextLength: Int, sequenceCount: Int = 1, type: KVType,
    tileRowCount: Int = ScratchLayout.tileTokenCountMax
  ) {
    precondition(contextLength >= 1 && sequenceCount >= 1 && tileRowCount >= 1)
    let tileRowCount = min(tileRowCount, contextLength)
    self.tileRowCount = tileRowCount
    self.contextLength = contextLength
    self.sequenceCount = sequenceCount
    self.type = type
    let attentions = description.layers.map { layer in
      switch layer.mixer {
      case .attention(let attention): attention
      }
    }
    func ring(_ attention: AttentionDescription) -> Int? {
      guard case .sliding(let window) = attention.limits else { return nil }
      let pages = Self.ringPageCount(window: window, tileRowCount: tileRowCount)
      return pages * Self.ringPagePositionCount < contextLength ? window : nil
    }
    let windows = attentions.map(ring)
    // Those that keep everything come first, then windows from the narrowest on.
    let kinds = Set(windows).sorted { ($0 ?? 0) < ($1 ?? 0) }
    var places: [Int: Location] = [:]
    for window in kinds {
      let layers = windows.indices.filter { windows[$0] == window }
      let positions =
        window == nil
        ? max(1, min(Self.pagePositionCount, contextLength)) : Self.ringPagePositionCount
      var end = 0
      for layer in layers {
        let attention = attentions[layer]
        func part(_ dimension: Int) -> Int {
          defer {
            end += KVView.byteCount(
              type: type, capacity: positions, headCount: attention.keyValueHeadCount,
              headDimension: dimension)
          }
          return end
        }
        places[layer] = Location(
          group: groups.count, keyOffset: part(attention.headDimension),
          valueOffset: part(attention.valueDimension), attention: attention)
      }
      let ringPageCount = window.map {
        Self.ringPageCount(window: $0, tileRowCount: tileRowCount)
      }
      let pageCount = ringPageCount ?? (contextLength + positions - 1) / positions
      groups.append(
        Group(
          window: window, pagePositionCount: positions, ringPageCount: ringPageCount,
          pageCountPerSequence: pageCount, pageCount: pageCount * sequenceCount,
          pageByteStride: AlignedBuffer.mappedByteCount(for: end), layers: layers))
    }
    locations = attentions.indices.compactMap { places[$0] }
    partialCount =
      min(sequenceCount, KVView.sharedRowCountMax)
      * (attentions.map {
        KVView.partialCount(
          capacity: contextLength, queryHeadCount: $0.headCount,
          valueHeadDimension: $0.valueDimension)
      }.max() ?? 0)
  }

  /// Pages that the window before a tile's first row and the rows of the tile touch at most.
  private static func ringPageCount(window: Int, tileRowCount: Int) -> Int {
    (window + tileRowCount - 2) / ringPagePositionCount + 2
  }

  /// What of the budget all pages take when all are held, without the attention's working memory.
  package var pageByteCount: Int { groups.reduce(0) { $0 + $1.mappedByteCount } }

  /// What all of it takes from the budget.
  package var byteCount: Int {
    pageByteCount + AlignedBuffer.mappedByteCount(for: 4 * partialCount)
  }

  /// What pages take while one sequence has so many positions.
  package func heldByteCount(positions: Int) -> Int {
    groups.reduce(0) {
      $0 + $1.mappedByteCount(pageCount: $1.pageCount(positions: min(positions, contextLength)))
    }
  }

  /// Bytes that a position adds to a sequence while its windows are not full.
  package var byteCountPerPosition: Int {
    locations.reduce(0) { $0 + Self.byteCount($1.attention, type) }
  }

  /// The same for one layer.
  package func byteCountPerPosition(ofLayer layer: Int) -> Int {
    Self.byteCount(locations[layer].attention, type)
  }

  /// Bytes of one position in one layer.
  static func byteCount(_ attention: AttentionDescription, _ type: KVType) -> Int {
    (attention.keyWidth + attention.valueWidth) * type.elementByteCount
  }
}
