import MoECore
import MoEExperts
import MoEKernels
import MoETestSupport
import Testing

/// Slots that have room for any expert of their class, wherever it lies in the file.
@Suite struct PoolLayoutTests {
  @Test(arguments: 0..<UInt64(40), [4096, 16384])
  func everyRegionHoldsItsPartWidenedToBlocks(_ seed: UInt64, _ alignment: Int) {
    var random = SeededGenerator(seed: seed)
    let forms = (0..<8).map { _ in ExpertForm.allCases.randomElement(using: &random) ?? .dense }
    let placed = PlacedExperts(seed: seed, forms: forms)
    let pool = PoolLayout(placed.layout, alignment: alignment)
    for (index, layer) in placed.layers.enumerated() {
      guard layer.expertCount > 0 else {
        #expect(pool.classOfLayer[index] == nil)
        continue
      }
      let sizeClass = pool.classes[pool.sizeClass(ofLayer: index)]
      #expect(sizeClass.layers.contains(index))
      #expect(sizeClass.regionByteCounts.count == layer.parts.count)
      for (number, part) in layer.parts.enumerated() {
        let region = sizeClass.regionByteCounts[number]
        #expect(region % alignment == 0)
        let spans = (0..<layer.expertCount).map { expert in
          let extent = part.extent(ofExpert: expert)
          let first = extent.offset / alignment
          let last = (extent.offset + extent.byteCount - 1) / alignment
          return (last - first + 1) * alignment
        }
        #expect((spans.max() ?? 0) <= region)
        if sizeClass.layers == [index] { #expect(spans.max() == region) }
      }
    }
    #expect(pool.classes.reduce(0) { $0 + $1.expertCount } == placed.layout.expertCount)
    #expect(pool.classes.flatMap(\.layers).sorted() == placed.layout.routedLayers)
  }

  /// The same shapes twice, with dense layers around them and another width between.
  @Test func layersOfOneSizeShareAClass() throws {
    func layer(width: Int, count: Int, perToken: Int, at offset: Int) throws -> ExpertLayer {
      let sample = PlacedExperts(seed: 1, forms: [.stacked])
      let format = try #require(sample.layers.first?.parts.first).format
      let unit = format.blockElementCount
      func part(_ role: ExpertPartRole, _ rows: Int, _ columns: Int) -> ExpertPart {
        let size = rows * format.rowByteCount(columnCount: columns)
        return ExpertPart(
          role, name: "\(role)", format: format, rowCount: rows, columnCount: columns,
          storage: .stack(FileExtent(fileIndex: 0, offset: offset, byteCount: count * size)))
      }
      return ExpertLayer(
        expertCount: count, expertsPerToken: perToken,
        parts: [
          part(.gate, width * unit, unit), part(.up, width * unit, unit),
          part(.down, unit, width * unit),
        ])
    }
    let pool = PoolLayout(
      ExpertLayout(layers: [
        .dense, try layer(width: 1, count: 4, perToken: 2, at: 0),
        try layer(width: 2, count: 8, perToken: 1, at: 4), .dense,
        try layer(width: 1, count: 6, perToken: 3, at: 4000),
      ]))
    #expect(pool.classOfLayer == [nil, 0, 1, nil, 0])
    #expect(pool.classes.map(\.layers) == [[1, 4], [2]])
    #expect(pool.classes.map(\.expertCount) == [10, 8])
    #expect(pool.classes.map(\.expertsPerToken) == [3, 1])
    let slots = pool.classes.map(\.slotByteCount)
    #expect(pool.floorByteCount == 3 * slots[0] + slots[1])
    #expect(pool.fullByteCount == 10 * slots[0] + 8 * slots[1])
    let least = try #require(pool.slots(byteCount: pool.floorByteCount))
    #expect(least.cached == [3, 1])
    #expect(pool.slots(byteCount: pool.floorByteCount - 1) == nil)
  }

  @Test func aModelWithoutExpertsNeedsNoPool() throws {
    let pool = PoolLayout(ExpertLayout(layers: [.dense, .dense]))
    #expect(pool.classes.isEmpty && pool.floorByteCount == 0 && pool.fullByteCount == 0)
    #expect(try #require(pool.slots(byteCount: 0)).all.isEmpty)
  }
}
