import Foundation
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// A model of some 640 MB that computes little for its size: many small experts, few layers.
enum BudgetModel {
  /// The file, inside suites with the trait `.budgetModel`.
  @TaskLocal static var url: URL?

  static var description: SyntheticModel {
    var model = SyntheticModel(.qwen3moe)
    model.layerCount = 4
    model.hiddenSize = 512
    model.headCount = 8
    model.keyValueHeadCount = 2
    model.headDimension = 64
    model.expertCount = 384
    model.expertsPerToken = 2
    model.expertWidth = 256
    model.vocabularySize = 1024
    model.contextLength = 16384
    model.formats = SyntheticModel.Formats(.q8_0)
    return model
  }
}

/// Writes the model before a suite's first test and deletes it after the last.
struct BudgetModelTrait: SuiteTrait, TestScoping {
  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "model.gguf")
    try BudgetModel.description.write(to: url)
    // What is still to be written to disk would slow the reads down, and could not be dropped.
    let file = try FileHandle(forUpdating: url)
    try file.synchronize()
    try file.close()
    try await BudgetModel.$url.withValue(url) { try await function() }
    withExtendedLifetime(folder) {}
  }
}

extension Trait where Self == BudgetModelTrait {
  static var budgetModel: Self { BudgetModelTrait() }
}
