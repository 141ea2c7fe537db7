import Foundation
import MoECore
import MoEFormats
import MoEModel
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// A model file in a folder of its own, removed with this object.
final class ModelFolder: Sendable {
  let path: String
  private let folder: URL

  init(seed: UInt64 = 7, in parent: URL = FileManager.default.temporaryDirectory) throws {
    folder = parent.appendingPathComponent("moe-engine-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    path = folder.appendingPathComponent("model.gguf").path
    try Self.model(seed: seed).write(to: URL(fileURLWithPath: path))
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// Small, but with far more experts than the smallest pool holds.
  static func model(seed: UInt64) -> SyntheticModel {
    var model = SyntheticModel(.qwen3moe)
    model.layerCount = 3
    model.expertCount = 16
    model.expertsPerToken = 3
    model.formats = SyntheticModel.Formats(.q8_0)
    model.seed = seed
    return model
  }

  /// Renames another model to this one's path.
  func replace(withSeed seed: UInt64) throws {
    let other = URL(fileURLWithPath: path + ".new")
    try Self.model(seed: seed).write(to: other)
    guard unsafe rename(other.path, path) == 0 else { throw CocoaError(.fileWriteUnknown) }
  }

  /// Writes over the first bytes, in place, with themselves.
  func overwrite() throws {
    // Longer than the grain of the file system's clock.
    usleep(20_000)
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    let bytes = try handle.read(upToCount: 100) ?? Data()
    try handle.seek(toOffset: 0)
    try handle.write(contentsOf: bytes)
    try handle.close()
  }

  func truncateFile(to byteCount: Int) throws {
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try handle.truncate(atOffset: UInt64(byteCount))
    try handle.close()
  }
}

/// An engine whose pool holds the experts of one step, and the tokens that it generates.
struct EngineRun: Sendable {
  /// Ways to read from disk while the model runs.
  static let diskStores = Store.allCases.filter { $0 != .automatic && $0 != .memory }
  static let prompt: [Int32] = [5, 77, 301, 12, 9, 250, 3, 44, 180]
  static let tokenCount = 20

  let engine: Engine

  init(_ path: String, store: Store = .automatic) async throws(EngineError) {
    var options = EngineOptions()
    options.placement = .offloaded
    options.expertPool = .fraction(0.08)
    options.store = store
    options.threadCount = 1
    options.contextLength = 64
    engine = try await Engine(modelAt: path, options: options)
  }

  /// Cancels the running test where `store` cannot be used here.
  static func orCancel(_ path: String, store: Store) async throws -> EngineRun {
    do {
      return try await EngineRun(path, store: store)
    } catch {
      guard error.description.contains("cannot be used here") else { throw error }
      try Test.cancel("\(error)")
    }
  }

  /// The tokens of a whole generation.
  func generate() async throws -> [Int32] {
    var options = GenerationOptions()
    options.sampling = .greedy
    options.ignoresEnd = true
    options.tokenCountMax = Self.tokenCount
    var tokens: [Int32] = []
    for try await token in engine.generate(tokens: Self.prompt, options) { tokens.append(token.id) }
    return tokens
  }

  func perplexity() async throws -> PerplexityResult {
    var options = PerplexityOptions()
    options.windowTokenCount = 4
    return try await engine.perplexity(of: Self.prompt, options)
  }

  /// A generation token by token; `between` is called before each step but the first with the
  /// number of tokens so far.
  func generate(between: @escaping @Sendable (Int) throws -> Void) async throws -> [Int32] {
    try await engine.withDecoder { decoder in
      try decoder.withSequence { sequence in
        try decoder.forward(Self.prompt, of: sequence, phase: .prefill)
        var tokens = [decoder.mostLikelyToken()]
        while tokens.count < Self.tokenCount {
          try between(tokens.count)
          let last = tokens[tokens.count - 1]
          try decoder.forward(CollectionOfOne(last), of: sequence, phase: .decode)
          tokens.append(decoder.mostLikelyToken())
        }
        return tokens
      }
    }
  }
}

extension Decoder {
  /// The first of the tokens with the largest logit.
  fileprivate func mostLikelyToken() -> Int32 {
    let logits = lastLogits().array()
    return Int32(logits.indices.max { logits[$0] < logits[$1] } ?? 0)
  }
}
