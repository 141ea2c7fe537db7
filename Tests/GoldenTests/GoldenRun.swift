import MoECore
import MoEExperts
import MoEFormats
import MoEModel
import MoERuntime
import Testing

/// Everything that one sequence gave.
struct GoldenRun: Sendable {
  /// (token, vocabularySize)
  var logits: [Float] = []
  var embedded: [Float] = []
  var normalized: [Float] = []
  var hidden: [Int: [Float]] = [:]
  var routerLogits: [Int: [Float]] = [:]
  var choices: [Int: [[(expert: Int, weight: Float)]]] = [:]
}

extension GoldenModel {
  /// Keys and values in f32, as the references have them.
  static var exactOptions: EngineOptions {
    var options = EngineOptions()
    options.kvCacheType = .f32
    options.contextLength = 512
    options.logitRowCount = 8
    return options
  }

  /// How a pool of the experts of a model would be divided.
  static func poolLayout(_ path: String) throws -> PoolLayout {
    let file = try FormatRegistry.open(path)
    let description = try ArchitectureRegistry.describe(metadata: file, tensors: file.tensors)
    let tensors = try ModelTensors(
      description: description, tensors: file.tensors, file: file.sourceName)
    return PoolLayout(tensors.experts)
  }

  /// Runs a sequence from an empty context through a newly loaded engine.
  func run(_ tokens: [Int32], _ options: EngineOptions) async throws -> GoldenRun {
    let engine = try await Engine(modelAt: modelPath, options: options)
    return try await run(tokens, on: engine)
  }

  /// Runs a sequence in chunks as large as the decoder takes.
  func run(_ tokens: [Int32], on engine: Engine) async throws -> GoldenRun {
    try await engine.withDecoder { decoder in
      let observer = RecordingObserver()
      decoder.observer = observer
      defer { decoder.observer = nil }
      let sequence = try #require(decoder.beginSequence())
      defer { decoder.endSequence(sequence) }
      var run = GoldenRun()
      var start = 0
      while start < tokens.count {
        let count = min(decoder.stepRowCountMax, tokens.count - start)
        try decoder.forward(
          tokens[start..<start + count], of: sequence, phase: count == 1 ? .decode : .prefill)
        var row = 0
        while row < count {
          let rows = min(decoder.logitRowCountMax, count - row)
          run.logits += decoder.logits(ofRows: row..<row + rows).values
          row += rows
        }
        start += count
      }
      run.embedded = observer.embedded
      run.normalized = observer.normalized
      run.hidden = observer.hidden
      run.routerLogits = observer.routerLogits
      run.choices = observer.choices
      return run
    }
  }
}
