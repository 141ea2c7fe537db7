import MoECore
import Testing

@Suite struct FileExtentTests {
  @Test func partsDivideAnExtentWithoutGaps() {
    let whole = FileExtent(fileIndex: 2, offset: 100, byteCount: 60)
    let parts = (0..<5).map { whole.part($0, of: 5) }
    #expect(parts.map(\.offset) == [100, 112, 124, 136, 148])
    #expect(parts.allSatisfy { $0.byteCount == 12 && $0.fileIndex == 2 })
    #expect(whole.part(0, of: 1) == whole)
  }

  @Test func expertsAreOrderedByLayerThenIndex() {
    let experts = [(1, 0), (0, 9), (0, 2)].map { ExpertID(layer: $0.0, index: $0.1) }
    #expect(experts.sorted() == [experts[2], experts[1], experts[0]])
    #expect("\(experts[1])" == "layer 0 expert 9")
  }
}
