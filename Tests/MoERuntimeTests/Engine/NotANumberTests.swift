import Foundation
import MoECore
import MoEFormats
import MoERuntime
import MoESynthetic
import MoETestSupport
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
    guard case .damagedWeight(let weight) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(weight.path == tiny.path && weight.tensor == "output_norm.weight")
    #expect(weight.expert == nil && weight.offset == norm.extent.offset)
    let unscored = await #expect(throws: EngineError.self) {
      var options = PerplexityOptions()
      options.windowTokenCount = 64
      _ = try await engine.perplexity(of: [1, 2, 3, 4], options)
    }
    #expect(unscored?.description == error?.description)
  }

  /// One block scale of one expert, wherever it is.
  @Test(arguments: [(0, 0, 0), (1, 3, 5), (1, 7, 1)])
  func theDamagedExpertIsNamed(layer: Int, expert: Int, block: Int) async throws {
    let tiny = try TinyModel {
      $0.formats = .init(.q8_0)
      ($0.expertCount, $0.expertsPerToken) = (8, 8)
    }
    let name = "blk.\(layer).ffn_down_exps.weight"
    let stack = try #require(try GGUFFile(path: tiny.path).tensor(named: name))
    let offset = stack.extent.offset + stack.extent.byteCount / 8 * expert + 34 * block
    let file = try FileHandle(forUpdating: URL(filePath: tiny.path))
    try file.seek(toOffset: UInt64(offset))
    try file.write(contentsOf: Data([0x00, 0x7E]))
    try file.close()
    let expected = try DamagedWeight.all(inModelAt: tiny.path, countMax: 10)
    #expect(expected.map(\.tensor) == [name] && expected.map(\.expert) == [expert])
    #expect(expected.map(\.offset) == [offset])
    let engine = try await tiny.engine()
    let error = await #expect(throws: EngineError.self) {
      _ = try await engine.generate("a", .greedy(4)).collect()
    }
    guard case .damagedWeight(expected[0]) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.contains("\(name.quotedForMessage), expert \(expert):") == true)
  }

  @Test func everyDamagedExpertIsFound() throws {
    let tiny = try TinyModel { $0.formats = .init(.q8_0) }
    #expect(try DamagedWeight.all(inModelAt: tiny.path, countMax: 100).isEmpty)
    let tensors = try GGUFFile(path: tiny.path).tensors.filter { $0.name.contains("_exps.") }
    let file = try FileHandle(forUpdating: URL(filePath: tiny.path))
    var count = 0
    for tensor in tensors {
      let expertCount = try #require(tensor.shape.last)
      for expert in [0, expertCount - 1] {
        let start = tensor.extent.offset + tensor.extent.byteCount / expertCount * expert
        try file.seek(toOffset: UInt64(start))
        // Infinity, twice in the expert.
        try file.write(contentsOf: Data([0x00, 0x7C]))
        try file.seek(toOffset: UInt64(start + 68))
        try file.write(contentsOf: Data([0x00, 0x7C]))
        count += 1
      }
    }
    try file.close()
    let found = try DamagedWeight.all(inModelAt: tiny.path, countMax: 1000)
    #expect(found.count == count && Set(found).count == count)
    #expect(try DamagedWeight.all(inModelAt: tiny.path, countMax: 3) == Array(found.prefix(3)))
  }
}
