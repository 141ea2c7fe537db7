internal import CMoEKernelsInterface

/// One layer's part of one sequence's KV cache.
///
/// Positions lie in pages, which a table lists. Within a page a layer's keys are (headCount,
/// pagePositionCount, keyHeadDimension), and so its values, of their own dimension. Values can also
/// be the first elements of their keys' rows (latent attention, arXiv 2405.04434): then they start
/// where the keys do, and `valueRowStride` is the keys' dimension.
package struct KVView: Sendable {
  package let pages: PageTable
  /// Bytes from a page's start to this layer's keys.
  package let keyOffset: Int
  /// Bytes from a page's start to this layer's values.
  package let valueOffset: Int
  package let type: KVType
  /// Key-value heads.
  package let headCount: Int
  package let keyHeadDimension: Int
  package let valueHeadDimension: Int
  /// Elements from one position's value to the next.
  package let valueRowStride: Int
  package let pagePositionCount: Int
  /// Position p lies in page p / pagePositionCount % ringPageCount of the table; nil: in page
  /// p / pagePositionCount.
  package let ringPageCount: Int?
  /// Positions that the sequence may have; in a ring the latest alone are kept.
  package let capacity: Int

  /// Positions of a page divide evenly by this where there are several pages.
  package static let pageGrain = Int(MOE_KV_PAGE_GRAIN)

  /// Rows that a step may have where workers divide the past of each among them: with more, there
  /// is work enough without.
  package static let sharedRowCountMax = 8

  /// Largest head dimension that attention takes.
  package static let headDimensionMax = Int(MOE_ATTENTION_HEAD_DIMENSION_MAX)

  /// Positions whose sums are taken from scratch; those of spans are then added up in order.
  static let spanCount = Int(MOE_ATTENTION_SPAN)

  /// - Parameters:
  ///   - valueOffset: Nil: values are the first elements of their keys' rows.
  ///   - ringPageCount: At least as many pages as the positions lie in that one step's rows see
  ///     together.
  package init(
    pages: PageTable, keyOffset: Int, valueOffset: Int?, type: KVType, headCount: Int,
    keyHeadDimension: Int, valueHeadDimension: Int, pagePositionCount: Int,
    ringPageCount: Int? = nil, capacity: Int
  ) {
    precondition(headCount > 0 && keyHeadDimension > 0 && valueHeadDimension > 0)
    precondition(pagePositionCount > 0 && capacity >= 0)
    precondition(
      pagePositionCount % Self.pageGrain == 0
        || (ringPageCount == nil && capacity <= pagePositionCount))
    let pageCount = ringPageCount ?? (capacity + pagePositionCount - 1) / pagePositionCount
    precondition(pageCount <= pages.count && ringPageCount != 0)
    valueRowStride = valueOffset == nil ? keyHeadDimension : valueHeadDimension
    precondition(valueHeadDimension <= valueRowStride)
    precondition(type.divides(keyHeadDimension) && type.divides(valueHeadDimension))
    for (offset, width) in [(keyOffset, keyHeadDimension), (valueOffset ?? 0, valueRowStride)] {
      let byteCount = Self.byteCount(
        type: type, capacity: pagePositionCount, headCount: headCount, headDimension: width)
      precondition(offset >= 0 && offset % type.alignment == 0)
      precondition(offset + byteCount <= pages.pageByteCount)
    }
    self.pages = pages
    self.keyOffset = keyOffset
    self.valueOffset = valueOffset ?? keyOffset
    self.type = type
    self.headCount = headCount
    self.keyHeadDimension = keyHeadDimension
    self.valueHeadDimension = valueHeadDimension
    self.pagePositionCount = pagePositionCount
    self.ringPageCount = ringPageCount
    self.capacity = capacity
  }

  /// Whether values are the first elements of their keys' rows, and not written for themselves.
  package var valuesLieInKeys: Bool { valueOffset == keyOffset }

  /// Bytes of the keys, or of the values, of one layer's `capacity` positions.
  package static func byteCount(
    type: KVType, capacity: Int, headCount: Int, headDimension: Int
  ) -> Int {
    precondition(capacity >= 0 && headCount > 0 && headDimension > 0)
    return capacity * headCount * type.byteCount(dimension: headDimension)
  }

  /// Floats that attention wants as `partials` for one row whose past has `capacity` positions;
  /// several rows want the sum.
  package static func partialCount(
    capacity: Int, queryHeadCount: Int, valueHeadDimension: Int
  ) -> Int {
    (capacity + spanCount - 1) / spanCount * queryHeadCount * (valueHeadDimension + 2)
  }

  /// Whether another sequence's view is of the same kind of layer.
  func hasShape(of other: KVView) -> Bool {
    type == other.type && headCount == other.headCount
      && keyHeadDimension == other.keyHeadDimension
      && valueHeadDimension == other.valueHeadDimension && valueRowStride == other.valueRowStride
  }

  /// Whether there is memory for each of the positions, and each has its own.
  func holds(_ positions: Range<Int>) -> Bool {
    if positions.isEmpty { return true }
    if positions.lowerBound < 0 || positions.upperBound > capacity { return false }
    let (first, last) = (
      positions.lowerBound / pagePositionCount, (positions.upperBound - 1) / pagePositionCount
    )
    if let ringPageCount, last - first >= ringPageCount { return false }
    return (first...last).allSatisfy { page in
      pages.hasPage(ringPageCount.map { page % $0 } ?? page)
    }
  }

  var shape: moe_kv_shape {
    moe_kv_shape(
      type: type.cValue, kv_heads: headCount, key_dimension: keyHeadDimension,
      value_dimension: valueHeadDimension, value_stride: valueRowStride)
  }

  /// So many rows of a step, the first at `position`.
  func segment(position: Int, rowCount: Int) -> moe_kv_segment {
    unsafe moe_kv_segment(
      pages: pages.addresses, key_offset: keyOffset, value_offset: valueOffset,
      page_positions: pagePositionCount, ring_pages: ringPageCount ?? 0, position: position,
      rows: rowCount)
  }
}
