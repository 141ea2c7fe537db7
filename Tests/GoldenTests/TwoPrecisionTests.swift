import Foundation
import MoECompression
import MoECore
import MoEKernels
import MoERuntime
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Misses answered from copies in fewer bits: the model's own text where the copies lose nothing,
/// and the same text from run to run, however fast the disk is.
@Suite struct TwoPrecisionTests {
  /// Copies that are what they are copies of.
  private static var same: LowCopy {
    LowCopy(
      name: "same", format: { $0.format },
      make: { part, shape in part.slice(0, count: shape.byteCount).array() })
  }

  /// Blocks of 8 bits of which two are left.
  private static var coarse: LowCopy {
    LowCopy(
      name: "coarse", format: { $0.format },
      make: { part, shape in
        var bytes = part.slice(0, count: shape.byteCount).array()
        guard shape.format.name == "Q8_0" else { return bytes }
        for index in bytes.indices where index % 34 >= 2 { bytes[index] &= 0xC0 }
        return bytes
      })
  }

  private static func pack(
    _ model: String, _ low: LowCopy, codec: CodecEntry = CodecRegistry.none,
    in folder: TemporaryFolder
  ) throws -> String {
    let path = folder.url.appending(path: "\(low.name) \(codec.name).moebundle").path
    let packer = try Packer(
      PackSource(modelAt: model), to: path, codec: codec, low: low, threadCount: 2
    ).limited(to: [])
    _ = try packer.pack(expectedByteCount: 0)
    return path
  }

  private static func options(_ bundle: String, share: Double = 0.3) -> EngineOptions {
    var options = EngineOptions()
    options.contextLength = 256
    options.placement = .offloaded
    options.expertPool = .fraction(share)
    options.bundle = .file(bundle)
    options.holdsLowCopies = true
    return options
  }

  private static func generate(
    _ options: EngineOptions, gating: String, modelAt path: String = TrainedModel.path
  ) async throws -> (tokens: [GeneratedToken], statistics: GenerationStatistics) {
    let engine = try await Engine(modelAt: path, options: options)
    var generation = GenerationOptions()
    generation.tokenCountMax = 60
    generation.sampling = .greedy
    generation.logProbabilityCount = 0
    generation.gating = try GatingSpecification(parsing: gating)
    var tokens: [GeneratedToken] = []
    let made = engine.generate("Once upon a time there was a", generation)
    for try await token in made { tokens.append(token) }
    return (tokens, try #require(made.statistics))
  }

  @Test(arguments: CodecRegistry.all.map(\.name), ["miss-low:-1", "miss-low:0.5"])
  func copiesThatLoseNothingChangeNoBit(_ codec: String, _ gating: String) async throws {
    let folder = try TemporaryFolder()
    let entry = try #require(CodecRegistry.entry(named: codec))
    let path = try Self.pack(TrainedModel.path, Self.same, codec: entry, in: folder)
    var options = Self.options(path)
    let plain = try await Self.generate(options, gating: "off")
    #expect(plain.statistics.decode.lowCount == 0)
    for behind in [0.0, 1, 50] {
      options.readBehindCount = behind
      let found = try await Self.generate(options, gating: gating)
      #expect(found.tokens == plain.tokens, "\(behind) read behind")
      #expect(found.statistics.decode.lowCount > 0)
      #expect((found.statistics.decode.behindCount > 0) == (behind > 0))
      // Nothing is waited for where every miss has an answer.
      if gating == "miss-low:-1", behind == 0 {
        #expect(found.statistics.decode.readByteCount == 0)
        #expect(found.statistics.decode.hitRate == 1)
      }
    }
  }

  /// What was read behind is found the next time.
  @Test func whatIsReadBehindIsUsed() async throws {
    let folder = try TemporaryFolder()
    let path = try Self.pack(TrainedModel.path, Self.same, in: folder)
    var options = Self.options(path, share: 0.6)
    options.readBehindCount = 0
    let without = try await Self.generate(options, gating: "miss-low:-1")
    options.readBehindCount = 4
    let with = try await Self.generate(options, gating: "miss-low:-1")
    #expect(with.statistics.decode.lowCount < without.statistics.decode.lowCount)
    #expect(with.statistics.decode.readByteCount > 0)
  }

  @Test func theSameRunGivesTheSameTextHoweverItIsRead() async throws {
    let folder = try TemporaryFolder()
    let path = try Self.pack(TrainedModel.path, Self.coarse, in: folder)
    var options = Self.options(path)
    options.readBehindCount = 3
    let exact = try await Self.generate(options, gating: "off")
    let first = try await Self.generate(options, gating: "miss-low:0.3")
    #expect(first.tokens != exact.tokens)
    for store in Store.allCases {
      for depth in [1, 32] {
        options.store = store
        options.inputDepth = depth
        let found = try await Self.generate(options, gating: "miss-low:0.3")
        #expect(found.tokens == first.tokens, "\(store), depth \(depth)")
        #expect(found.statistics.decode.lowCount == first.statistics.decode.lowCount)
        #expect(found.statistics.decode.behindCount == first.statistics.decode.behindCount)
      }
    }
  }

  @Test func copiesMustBeThere() async throws {
    let folder = try TemporaryFolder()
    let bundle = folder.url.appending(path: "plain.moebundle").path
    let packer = try Packer(
      PackSource(modelAt: TrainedModel.path), to: bundle, codec: CodecRegistry.none, threadCount: 1)
    _ = try packer.pack(expectedByteCount: 0)
    await #expect(throws: EngineError.self) {
      try await Engine(modelAt: TrainedModel.path, options: Self.options(bundle))
    }
    var options = Self.options(bundle)
    options.holdsLowCopies = false
    await #expect(throws: EngineError.self) {
      try await Self.generate(options, gating: "miss-low:0")
    }
  }

  /// The copies count in the budget, and the plan names them.
  @Test func copiesAreInThePlan() throws {
    let folder = try TemporaryFolder()
    let path = try Self.pack(TrainedModel.path, Self.same, in: folder)
    let plan = try Engine.plan(modelAt: TrainedModel.path, options: Self.options(path))
    let row = try #require(plan.memory.rows.first { $0.name == "low copies" })
    #expect(row.byteCount >= plan.expertByteCount)
  }
}
