import Foundation
import MoECore
import MoEExperts
import MoEFormats
import MoEModel
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Every architecture gives the same bits with its experts in a pool as with all in memory.
@Suite struct OffloadedModelTests {
  /// Weights in one format, and in the usual mix of two.
  static let formats: [SyntheticModel.Formats] = [
    SyntheticModel.Formats(.f32), SyntheticModel.Formats(.q8_0), .fourBit,
  ]

  @Test(arguments: ArchitectureRegistry.all.map(\.name), formats.indices)
  func offloadedEqualsResidentBitForBit(architecture: String, format: Int) async throws {
    var model = EditedModel.synthetic(architecture)
    model.formats = Self.formats[format]
    // Whole blocks of 256 for the four-bit formats.
    model.useWholeBlocks()
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "model.gguf")
    try model.write(to: url)

    let resident = try await engine(url.path) { $0.placement = .resident }
    let isResident = try await resident.withDecoder { $0.experts is ResidentExperts }
    #expect(isResident)
    let expected = try await logits(resident)
    #expect(expected.allSatisfy { Float(bitPattern: $0).isFinite } && Set(expected).count > 1000)
    for share in [0.25, 0.6] {
      let offloaded = try await engine(url.path) {
        $0.placement = .offloaded
        $0.expertPool = .fraction(share)
      }
      let isOffloaded = try await offloaded.withDecoder { $0.experts is OffloadedExperts }
      #expect(isOffloaded)
      #expect(try await logits(offloaded) == expected, "\(share) of the experts in memory")
    }
    withExtendedLifetime(folder) {}
  }

  private func engine(
    _ path: String, _ change: (inout EngineOptions) -> Void
  ) async throws -> Engine {
    var options = EngineOptions()
    options.threadCount = 2
    options.chunkTokenCount = 5
    change(&options)
    return try await Engine(modelAt: path, options: options)
  }

  /// Bits of the last logits of each chunk of a prompt, and of the tokens after it.
  private func logits(_ engine: Engine) async throws -> [UInt32] {
    try await engine.withDecoder { decoder in
      let sequence = try #require(decoder.beginSequence())
      defer { decoder.endSequence(sequence) }
      let tokens = (0..<23).map { Int32($0 * 31 % 512) }
      var bits: [UInt32] = []
      for start in stride(from: 0, to: 15, by: 5) {
        try decoder.forward(tokens[start..<start + 5], of: sequence, phase: .prefill)
        bits += decoder.lastLogits().array().map(\.bitPattern)
      }
      for token in tokens[15...] {
        try decoder.forward(CollectionOfOne(token), of: sequence, phase: .decode)
        bits += decoder.lastLogits().array().map(\.bitPattern)
      }
      return bits
    }
  }
}
