import Foundation
import MoECore
import MoEFormats
import MoEKernels
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

@Suite struct PublishedShapeTests {
  private static let blockFormats = QuantFormat.all.compactMap { GGMLType(id: $0.ggmlType) }
    .filter { $0.blockElementCount > 1 }

  /// Values around 0, as far from it as was asked for: 8-bit scales have but steps.
  @Test(arguments: blockFormats)
  func randomBlocksHaveTheirDeviation(_ type: GGMLType) throws {
    let blocks = try #require(RandomBlocks(type))
    let format = try #require(QuantFormat(ggmlType: type.id))
    for deviation: Float in [0.02, 1] {
      var generator = SeededGenerator(seed: 3)
      let values = format.floats(
        blocks.blocks(count: 1 << 16 / type.blockElementCount, deviation: deviation, &generator))
      #expect(values.allSatisfy { $0.isFinite })
      let mean = values.reduce(0, +) / Float(values.count)
      let square = values.reduce(Float(0)) { $0 + $1 * $1 } / Float(values.count)
      // Of 4-bit codes without a minimum, and of two bits, one side has one more.
      #expect(abs(mean) < 0.5 * deviation)
      let reached = square.squareRoot() / deviation
      #expect(reached > 0.65 && reached < 1.5, "\(reached)")
    }
  }

  /// The model of a header alone is one that runs, with the header's tensors and metadata.
  @Test(arguments: SyntheticModel.Architecture.allCases)
  func aHeaderBecomesAModel(_ architecture: SyntheticModel.Architecture) throws {
    let folder = try TemporaryFolder()
    let (header, output) = (
      folder.url.appending(path: "header.gguf"), folder.url.appending(path: "model.gguf")
    )
    var model = SyntheticModel(architecture)
    model.layerCount += 1
    try model.writeHeader(to: header)
    var shape = try PublishedShape(path: header.path)
    shape.formats = [.f32: .q8_0]
    try shape.write(to: output.path)
    #expect(try byteCount(output) == shape.byteCount())
    let (file, original) = (try GGUFFile(path: output.path), try GGUFFile(path: header.path))
    #expect(file.tensors.map(\.name) == original.tensors.map(\.name))
    #expect(file.tensors.map(\.shape) == original.tensors.map(\.shape))
    #expect(file.keys == original.keys)
    let description = try ArchitectureRegistry.describe(metadata: file, tensors: file.tensors)
    _ = try ModelTensors(description: description, tensors: file.tensors, file: output.path)
    let changed = zip(file.tensors, original.tensors).filter { $0.formatID != $1.formatID }
    #expect(!changed.isEmpty && changed.allSatisfy { $0.0.formatID == GGMLType.q8_0.id })
  }

  @Test func layersAreCutWithWhatEachHas() throws {
    let folder = try TemporaryFolder()
    let (header, output) = (
      folder.url.appending(path: "header.gguf"), folder.url.appending(path: "model.gguf")
    )
    try SyntheticModel(SyntheticModel.Architecture(rawValue: "gemma4")).writeHeader(to: header)
    var shape = try PublishedShape(path: header.path)
    shape.layerCount = 2
    try shape.write(to: output.path)
    let file = try GGUFFile(path: output.path)
    let description = try ArchitectureRegistry.describe(metadata: file, tensors: file.tensors)
    #expect(description.layerCount == 2)
    _ = try ModelTensors(description: description, tensors: file.tensors, file: output.path)
    shape.layerCount = 9
    #expect(throws: PublishedShape.Problem.self) { try shape.byteCount() }
  }

  @Test func tensorsLieAsTheHeaderSays() throws {
    let folder = try TemporaryFolder()
    let paths = ["plain.gguf", "header.gguf", "model.gguf"].map { folder.url.appending(path: $0) }
    try SyntheticModel(.olmoe).write(to: paths[0])
    var aligned = try GGUFWriter(copyOf: paths[0].path)
    aligned.alignment = 256
    try aligned.write(to: paths[1])
    try PublishedShape(path: paths[1].path).write(to: paths[2].path)
    let file = try GGUFFile(path: paths[2].path)
    #expect(file.value(forKey: "general.alignment")?.integer == 256)
    #expect(file.tensors.allSatisfy { $0.extent.offset.isMultiple(of: 256) })
  }

  private func byteCount(_ url: URL) throws -> Int {
    try #require(try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int)
  }
}
