import MoECore
import Testing

@Suite struct TensorDescriptorTests {
  @Test func axesOfOneFillAShapeUp() {
    let tensor = TensorDescriptor(
      name: "a", formatID: 0, formatName: "F32", shape: [4, 3],
      extent: FileExtent(fileIndex: 0, offset: 0, byteCount: 48))
    #expect(tensor.shape(rank: 1) == nil)
    #expect(tensor.shape(rank: 2) == [4, 3])
    #expect(tensor.shape(rank: 4) == [4, 3, 1, 1])
  }
}
