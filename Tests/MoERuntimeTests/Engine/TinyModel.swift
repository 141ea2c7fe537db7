import Foundation
import MoECore
import MoERuntime
import MoESynthetic
import MoETestSupport

/// A small synthetic model in a folder of its own, and engines that run it.
final class TinyModel: Sendable {
  let folder: TemporaryFolder
  let path: String
  let model: SyntheticModel

  init(
    _ architecture: SyntheticModel.Architecture = .qwen3moe,
    _ change: (inout SyntheticModel) -> Void = { _ in }
  ) throws {
    var model = SyntheticModel(architecture)
    change(&model)
    self.model = model
    folder = try TemporaryFolder()
    let url = folder.url.appending(path: "tiny.gguf")
    try model.write(to: url)
    path = url.path
  }

  /// Two workers, and by default experts in a pool that holds half of them.
  func engine(_ change: (inout EngineOptions) -> Void = { _ in }) async throws -> Engine {
    var options = EngineOptions()
    options.threadCount = 2
    options.placement = .offloaded
    options.expertPool = .fraction(0.5)
    change(&options)
    return try await Engine(modelAt: path, options: options)
  }
}

extension GenerationOptions {
  /// Greedy, past the end of the text, up to `tokenCount` tokens.
  static func greedy(_ tokenCount: Int?) -> GenerationOptions {
    var options = GenerationOptions()
    options.sampling = .greedy
    options.ignoresEnd = true
    options.tokenCountMax = tokenCount
    return options
  }

  /// Nearly uniform draws, so that every token comes up.
  static func wild(_ tokenCount: Int?, seed: UInt64) -> GenerationOptions {
    var options = GenerationOptions.greedy(tokenCount)
    options.sampling = SamplingOptions()
    options.sampling.temperature = 5
    (options.sampling.topK, options.sampling.topP, options.sampling.minP) = (0, 1, 0)
    options.sampling.seed = seed
    return options
  }
}

extension Generation {
  /// All of it.
  func collect() async throws -> [GeneratedToken] {
    var tokens: [GeneratedToken] = []
    for try await token in self { tokens.append(token) }
    return tokens
  }
}

/// Collects values from any thread.
final class Recorder<Value: Sendable>: @unchecked Sendable {
  // Sendable because the lock guards the values.
  private let lock = NSLock()
  private var values: [Value] = []

  func append(_ value: Value) { lock.withLock { values.append(value) } }

  var all: [Value] { lock.withLock { values } }
}
