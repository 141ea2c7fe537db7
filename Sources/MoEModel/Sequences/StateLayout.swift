import MoECore
package import MoEKernels

/// How what sequences keep, layer by layer, is laid out in pages.
///
/// A page holds some positions of all layers of a group: those that keep every position, or those
/// that see the same window. A page is, for each of the group's layers, the keys, (keyValueHead,
/// position in the page, headDimension), then the values. A window's pages go round: a sequence
/// takes so many of them that the window of the rows in progress fits, and no more. What layers
/// keep however long a sequence is (`RecurrentState`) lies in pages of its own, of which a sequence
/// has two: the state that it has, and room for the one that a step makes of it.
package struct StateLayout: Sendable, Equatable {
  /// Layers whose positions lie in the same pages.
  package struct Group: Sendable, Equatable {
    /// Positions of the past that are seen; nil: all.
    package let window: Int?
    /// Whether its layers keep one state instead of positions.
    package let isRecurrent: Bool
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
      if isRecurrent { return positions > 0 ? pageCountPerSequence : 0 }
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
    /// Nil where values lie in their keys.
    package let valueOffset: Int?
    package let attention: AttentionShape
  }

  /// Where one layer's state of fixed size is.
  package struct StateLocation: Sendable, Equatable {
    package let group: Int
    /// Bytes from a page's start.
    package let offset: Int
    package let state: RecurrentState
  }

  package let type: KVType
  /// Positions of one sequence.
  package let contextLength: Int
  /// Sequences at a time.
  package let sequenceCount: Int
  /// Rows of one sequence that a layer may take in before any of them looks back.
  package let tileRowCount: Int
  package private(set) var groups: [Group] = []
  /// By layer; nil for those that keep no positions.
  package private(set) var locations: [Location?]
  /// By layer; nil for those that keep no state of fixed size.
  package private(set) var states: [StateLocation?]
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
    let attentions = description.layers.map { $0.mixer?.attentionShape }
    locations = attentions.map { _ in nil }
    states = locations.map { _ in nil }
    partialCount =
      min(sequenceCount, KVView.sharedRowCountMax)
      * (attentions.compactMap(\.self).map {
        KVView.partialCount(
          capacity: contextLength, queryHeadCount: $0.queryHeadCount,
          valueHeadDimension: $0.valueDimension)
      }.max() ?? 0)
    let windows = attentions.map { $0.flatMap(ringWindow) }
    // Those that keep everything come first, then windows from the narrowest on.
    let attending = attentions.indices.filter { attentions[$0] != nil }
    for window in Set(attending.map { windows[$0] }).sorted(by: { ($0 ?? 0) < ($1 ?? 0) }) {
      addPositions(of: attending.filter { windows[$0] == window }, attentions, window: window)
    }
    addStates(description.layers.map { $0.mixer?.state })
  }

  /// The window of attention whose pages go round; nil where every position keeps its own.
  private func ringWindow(_ attention: AttentionShape) -> Int? {
    // Of a chunk no more is seen than of a window as large.
    guard let window = attention.limits.positionMax else { return nil }
    let pages = Self.ringPageCount(window: window, tileRowCount: tileRowCount)
    return pages * Self.ringPagePositionCount < contextLength ? window : nil
  }

  /// A group of layers that keep keys and values.
  private mutating func addPositions(
    of layers: [Int], _ attentions: [AttentionShape?], window: Int?
  ) {
    let positions =
      window == nil
      ? max(1, min(Self.pagePositionCount, contextLength)) : Self.ringPagePositionCount
    var end = 0
    for layer in layers {
      guard let attention = attentions[layer] else { continue }
      func part(_ dimension: Int) -> Int {
        defer {
          end += KVView.byteCount(
            type: type, capacity: positions, headCount: attention.keyValueHeadCount,
            headDimension: dimension)
        }
        return end
      }
      locations[layer] = Location(
        group: groups.count, keyOffset: part(attention.keyDimension),
        valueOffset: attention.valuesLieInKeys ? nil : part(attention.valueDimension),
        attention: attention)
    }
    let ringPageCount = window.map {
      Self.ringPageCount(window: $0, tileRowCount: tileRowCount)
    }
    let pageCount = ringPageCount ?? (contextLength + positions - 1) / positions
    groups.append(
      Group(
        window: window, isRecurrent: false, pagePositionCount: positions,
        ringPageCount: ringPageCount, pageCountPerSequence: pageCount,
        pageCount: pageCount * sequenceCount,
        pageByteStride: AlignedBuffer.mappedByteCount(for: end), layers: layers))
  }

  /// A group of the layers that keep a state, if there are any: all in one page, however many
  /// positions there are.
  private mutating func addStates(_ kept: [RecurrentState?]) {
    var end = 0
    for (layer, state) in kept.enumerated() {
      guard let state else { continue }
      states[layer] = StateLocation(group: groups.count, offset: end, state: state)
      // No two layers share a cache line.
      end += (4 * state.count + 63) / 64 * 64
    }
    guard end > 0 else { return }
    groups.append(
      Group(
        window: nil, isRecurrent: true, pagePositionCount: contextLength, ringPageCount: nil,
        pageCountPerSequence: 2, pageCount: 2 * sequenceCount,
        pageByteStride: AlignedBuffer.mappedByteCount(for: end),
        layers: kept.indices.filter { kept[$0] != nil }))
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

  /// What pages take while so many sequences, at most those there may be, have so many positions.
  package func heldByteCount(positions: Int, sequences: Int = 1) -> Int {
    groups.reduce(0) {
      let pageCount = $1.pageCount(positions: min(positions, contextLength))
      return $0 + $1.mappedByteCount(pageCount: pageCount * min(sequences, sequenceCount))
    }
  }

  /// Bytes that a position adds to a sequence while its windows are not full.
  package var byteCountPerPosition: Int {
    locations.indices.reduce(0) { $0 + byteCountPerPosition(ofLayer: $1) }
  }

  /// The same for one layer.
  package func byteCountPerPosition(ofLayer layer: Int) -> Int {
    locations[layer]?.attention.byteCountPerPosition(type) ?? 0
  }

  /// Bytes that a sequence keeps however long it is.
  package var stateByteCountPerSequence: Int {
    states.reduce(0) { $0 + ($1?.state.byteCount ?? 0) }
  }
}
