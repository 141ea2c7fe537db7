import Foundation
import MoECore
import MoEFormats
import MoERuntime
import Testing

/// A file whose weights are no numbers ends in a sentence, not in text.
@Suite struct NotANumberTests {
  @Test func aModelThatGivesNoNumbersIsRefused() async throws {
    let tiny = try TinyModel()
    let norm = try #require(try GGUFFile(path: tiny.path).tensor(named: "output_norm.weight"))
    let file = try FileHandle(forUpdating: URL(filePath: tiny.path))
    try file.seek(toOffset: UInt64(norm.extent.offset))
    try file.write(contentsOf: Data(repeating: 0xFF, count: norm.extent.byteCount))
    try file.close()
    let engine = try await tiny.engine()
    let error = await #expect(throws: EngineError.self) {
      _ = try await engine.generate("a", .greedy(4)).collect()
    }
    #expect(error?.description.contains("tiny.gguf: the model's output is not a number") == true)
  }
}
