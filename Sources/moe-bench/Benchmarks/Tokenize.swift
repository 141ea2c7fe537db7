private import Foundation
private import MoEFormats
private import MoETokenizer

/// A model's tokenizer: how long making it takes, and how fast it encodes texts on one core.
enum TokenizeBenchmark {
  /// What is timed.
  struct Settings {
    /// The model, or a file with nothing but its vocabulary.
    var modelPath: String
    var textPaths: [String]
  }

  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    guard let settings = context.texts else { return [] }
    let model = name(settings.modelPath)
    let texts = settings.textPaths.map { path in
      Benchmark(name: "tokenize/\(model)/\(name(path))") { try encoding(settings.modelPath, path) }
    }
    return [Benchmark(name: "tokenize/\(model)/load") { try loading(settings.modelPath) }] + texts
  }

  /// From the file's bytes in the page cache to a tokenizer that can be used.
  private static func loading(_ path: String) throws -> Benchmark.Prepared {
    var tokenizer: Tokenizer?
    return Benchmark.Prepared(
      memory: [], run: { tokenizer = try Tokenizer(metadata: GGUFFile(path: path)) },
      isRight: { tokenizer.map { $0.vocabularySize > 0 } ?? false })
  }

  private static func encoding(_ modelPath: String, _ path: String) throws -> Benchmark.Prepared {
    let tokenizer = try Tokenizer(metadata: GGUFFile(path: modelPath))
    let text = try String(contentsOfFile: path, encoding: .utf8)
    var tokens: [Int32] = []
    return Benchmark.Prepared(
      byteCount: text.utf8.count, memory: [],
      run: { tokens = tokenizer.encode(text, addSpecial: false) },
      isRight: {
        // A mark that stands for a space reads as one.
        let read = tokenizer.decode(tokens).replacing("▁", with: " ")
        return read.utf8.elementsEqual(text.replacing("▁", with: " ").utf8)
      })
  }

  private static func name(_ path: String) -> String {
    URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
  }
}
