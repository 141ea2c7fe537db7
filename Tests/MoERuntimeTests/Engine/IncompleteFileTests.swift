import Foundation
import MoECore
import MoEFormats
import MoEPlatform
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Downloads into a preallocated file that stopped: the size is right, but weights are missing.
@Suite struct IncompleteFileTests {
  private let model: TinyModel
  private let file: GGUFFile
  private let bytes: Data
  /// A hole has this many bytes at least on common file systems.
  private static let block = 4096

  init() throws {
    model = try TinyModel { ($0.hiddenSize, $0.vocabularySize) = (256, 4096) }
    file = try GGUFFile(path: model.path)
    bytes = try Data(contentsOf: URL(fileURLWithPath: model.path))
  }

  /// The model without some of its bytes; cancels the test where they don't become a hole.
  private func write(without hole: Range<Int>) throws {
    try FileManager.default.removeItem(atPath: model.path)
    let descriptor = unsafe open(model.path, O_WRONLY | O_CREAT, 0o600)
    defer { close(descriptor) }
    for part in [0..<hole.lowerBound, hole.upperBound..<bytes.count] where !part.isEmpty {
      let written = unsafe bytes[part].withUnsafeBytes {
        unsafe pwrite(descriptor, $0.baseAddress, $0.count, part.lowerBound)
      }
      #expect(written == part.count)
    }
    #expect(ftruncate(descriptor, bytes.count) == 0)
    guard try InputFile(model.path).firstHole(in: hole) == hole else {
      try Test.cancel("this file system does not tell of holes")
    }
  }

  /// Whole blocks inside a large tensor, and the tensor.
  private func holeInTensor() throws -> (TensorDescriptor, Range<Int>) {
    let tensor = try #require(
      file.tensors.filter { $0.name.contains("exps") }.max {
        $0.extent.byteCount < $1.extent.byteCount
      })
    let start = (tensor.extent.offset / Self.block + 1) * Self.block
    let end = (tensor.extent.offset + tensor.extent.byteCount) / Self.block * Self.block
    try #require(start < end)
    return (tensor, start..<end)
  }

  @Test func aHoleInATensorIsRefusedAndNamed() async throws {
    let (tensor, hole) = try holeInTensor()
    try write(without: hole)
    let error = await #expect(throws: EngineError.self) { _ = try await model.engine() }
    guard case .incompleteFile(let found) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(found.path == model.path && found.tensor == tensor.name && found.bytes == hole)
    #expect(
      found.description.contains("bytes \(hole.lowerBound) to \(hole.upperBound - 1) are a hole"))
  }

  @Test func planAndInspectionSayItAndGoOn() throws {
    let (tensor, hole) = try holeInTensor()
    try write(without: hole)
    let plan = try Engine.plan(modelAt: model.path, options: EngineOptions())
    #expect(plan.missing?.contains(tensor.name) == true && plan.memory.fits)
    let inspection = try ModelInspection(path: model.path)
    #expect(inspection.hole?.bytes == hole && inspection.obstacle == nil)
  }

  @Test func theLastByteOfATensorCountsAndTheGapBehindItDoesNot() throws {
    let (tensor, _) = try holeInTensor()
    let end = tensor.extent.offset + tensor.extent.byteCount
    func first(_ extent: FileExtent) throws -> HoleInTensor? {
      var other = tensor
      other.extent = extent
      return try HoleInTensor.first(of: [other], inFilesAt: [model.path])
    }
    let hole = (end / Self.block - 2) * Self.block..<(end / Self.block - 1) * Self.block
    try write(without: hole)
    let byte = FileExtent(fileIndex: 0, offset: hole.lowerBound - 9, byteCount: 10)
    #expect(try first(byte)?.bytes == hole.lowerBound..<hole.lowerBound + 1)
    #expect(
      try first(FileExtent(fileIndex: 0, offset: hole.lowerBound - 9, byteCount: 9)) == nil)
    #expect(try first(FileExtent(fileIndex: 0, offset: hole.upperBound, byteCount: 9)) == nil)
    #expect(try first(FileExtent(fileIndex: 0, offset: hole.lowerBound, byteCount: 0)) == nil)
  }

  @Test func aWholeFileHasNone() throws {
    #expect(try HoleInTensor.first(of: file.tensors, inFilesAt: [model.path]) == nil)
    #expect(try Engine.plan(modelAt: model.path, options: EngineOptions()).missing == nil)
  }
}
