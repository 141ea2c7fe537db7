import MoECompression
import MoECore
import MoEModel
import MoERuntime
import MoETokenizer

/// Runs a calibration text through a model and keeps what its experts read.
struct CalibrationRun {
  let modelAt: String
  let memory: SizeSpecification?
  let threadCount: Int
  let tokenCountMax: Int
  /// Where rows go that memory has no room for.
  let folder: String

  /// Tokens of a sequence.
  private static let windowTokenCount = 512
  /// For rows, of each layer.
  private static let rowByteCount = 8 << 20

  /// What a text has told: it comes back from the engine's thread, which has let go of it.
  struct Calibration: @unchecked Sendable {
    /// By layer: what its experts read, and how much they are used.
    var rows: [Int: CalibrationRows] = [:]
    var uses: [Int: ExpertUses] = [:]
  }

  func calibration(_ text: String) async throws -> Calibration {
    var options = EngineOptions()
    options.memory = memory
    options.threadCount = threadCount
    options.contextLength = Self.windowTokenCount
    options.bundle = .none
    let engine = try await Engine(modelAt: modelAt, options: options)
    let tokens = Array(
      engine.tokenizer.encode(text, addSpecial: false).prefix(tokenCountMax))
    guard !tokens.isEmpty else {
      throw Failure.runtime("the calibration text is empty; give a file with some text")
    }
    let special = Set(engine.tokenizer.endTokens + [engine.tokenizer.beginToken].compactMap(\.self))
    let bar = ProgressBar("reading the calibration text")
    let kept = try await engine.withDecoder { decoder in
      let recorder = CalibrationRecorder(
        try makeRows(decoder, tokenCount: tokens.count),
        isExcluded: { special.contains(Int32($0)) })
      decoder.observer = recorder
      defer { decoder.observer = nil }
      var start = 0
      while start < tokens.count {
        let end = min(start + Self.windowTokenCount, tokens.count)
        try decoder.withSequence { sequence in
          var first = start
          while first < end {
            let last = min(first + decoder.stepRowCountMax, end)
            try decoder.forward(tokens[first..<last], of: sequence, phase: .prefill)
            first = last
          }
        }
        if let failure = recorder.failure { throw failure }
        try Interruption.check()
        start = end
        bar.update(start, tokens.count)
      }
      return Calibration(rows: recorder.rows, uses: recorder.uses)
    }
    bar.erase()
    await engine.unload()
    return kept
  }

  private func makeRows(
    _ decoder: Decoder, tokenCount: Int
  ) throws(CalibrationError) -> [CalibrationRows] {
    var all: [CalibrationRows] = []
    for (layer, router) in decoder.description.routers.enumerated() {
      guard let router else { continue }
      all.append(
        try CalibrationRows(
          layer: layer, columnCount: decoder.description.hiddenSize,
          expertCount: router.expertCount, tokenCount: tokenCount,
          memoryByteCount: Self.rowByteCount, folder: folder))
    }
    return all
  }
}
