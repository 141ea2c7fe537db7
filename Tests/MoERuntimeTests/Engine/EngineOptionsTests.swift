import Foundation
import MoECore
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

@Suite struct EngineOptionsTests {
  /// Options that no model can be run with, and what the error must say.
  static let refused: [(change: @Sendable (inout EngineOptions) -> Void, words: [String])] = [
    ({ $0.contextLength = -1 }, ["context length", "from 0"]),
    ({ $0.contextLength = 257 }, ["context length", "at most 256", "257"]),
    ({ $0.threadCount = 0 }, ["thread count", "from 1 to 256", "0"]),
    ({ $0.threadCount = 257 }, ["thread count", "257"]),
    ({ $0.chunkTokenCount = 0 }, ["chunk", "0"]),
    ({ $0.inputDepth = 0 }, ["I/O depth", "from 1 to 1024"]),
    ({ $0.inputDepth = 1025 }, ["I/O depth", "1025"]),
    ({ $0.logitRowCount = 0 }, ["logit rows", "0"]),
    ({ $0.stagingSlotCount = 0 }, ["staging slots", "from 1 to 256"]),
    ({ $0.expertPool = .bytes(1) }, ["the expert pool", "at least"]),
    ({ $0.memory = .bytes(1 << 20) }, ["1.0 MiB", "too small", "at least", " MiB"]),
  ]

  @Test(arguments: refused.indices)
  func whatCannotRunIsRefusedByName(_ index: Int) async throws {
    let model = try TinyModel()
    let (change, words) = Self.refused[index]
    let error = await #expect(throws: EngineError.self) { _ = try await model.engine(change) }
    let text = try #require(error?.description)
    for word in words { #expect(text.contains(word), "\(text)") }
  }

  @Test func aBudgetThatIsTooSmallComesWithThePlan() async throws {
    let model = try TinyModel()
    let error = await #expect(throws: EngineError.self) {
      _ = try await model.engine { $0.memory = .bytes(1 << 20) }
    }
    guard case .budgetTooSmall(let plan) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(!plan.fits && plan.budgetByteCount == 1 << 20)
    #expect(plan.smallestBudgetByteCount > 1 << 20)
    #expect(plan.table.contains(plan.smallestBudgetArgument))
  }

  @Test func choicesAreMadeOfNamesThatExist() throws {
    #expect(CachePolicy(rawValue: "lru")?.rawValue == "lru")
    #expect(Predictor(rawValue: "off") == .off)
    #expect(Store(rawValue: "auto") == .automatic)
    #expect(CachePolicy(rawValue: "oracle") == nil && Predictor(rawValue: "oracle") == nil)
    #expect(Store(rawValue: "floppy") == nil)
    try expectNamed(CachePolicy.self)
    try expectNamed(Predictor.self)
    try expectNamed(Store.self)
  }

  private func expectNamed<Choice: NamedChoice>(_ type: Choice.Type) throws {
    #expect(Set(type.allCases.map(\.rawValue)).count == type.allCases.count)
    for choice in type.allCases {
      #expect(type.init(rawValue: choice.rawValue) == choice && choice.summary.hasSuffix("."))
      let text = try JSONEncoder().encode([choice])
      #expect(try JSONDecoder().decode([Choice].self, from: text) == [choice])
    }
  }

  @Test(arguments: ["/no/such/model.gguf", "/proc/self/status", "/tmp"])
  func whatIsNoModelIsNamed(_ path: String) async {
    let error = await #expect(throws: EngineError.self) { _ = try await Engine(modelAt: path) }
    #expect(error?.description.contains(path) == true)
  }

  @Test func planningReadsNoWeightsAndSaysWhatLoadingDecides() async throws {
    let model = try TinyModel()
    var options = EngineOptions()
    options.contextLength = 99
    options.placement = .offloaded
    let plan = try Engine.plan(modelAt: model.path, options: options)
    let engine = try await Engine(modelAt: model.path, options: options)
    #expect(plan.architecture == "qwen3moe" && plan.modelName == "synthetic-qwen3moe")
    #expect(plan.layerCount == 2 && plan.expertCounts == [8, 8] && plan.expertsPerToken == [2, 2])
    #expect(plan.memory.contextLength == 99 && engine.plan.memory.contextLength == 99)
    #expect(plan.cachePolicy == engine.plan.cachePolicy)
    // Buffers are registered when there are some.
    #expect(plan.store.prefix { $0 != ":" } == engine.plan.store.prefix { $0 != ":" })
    let expertByteCount = 3 * model.model.hiddenSize * model.model.expertWidth * 4
    #expect(plan.expertByteCount == 2 * 8 * expertByteCount)
    #expect(plan.expertByteCountPerToken == 2 * 2 * expertByteCount)
    #expect(plan.modelByteCount == (try model.model.byteCount()))
  }

  @Test(arguments: KVCacheType.allCases)
  func keysAndValuesTakeWhatThePlanSays(_ type: KVCacheType) throws {
    let model = try TinyModel { $0.headDimension = 32 }
    var options = EngineOptions()
    options.kvCacheType = type
    options.contextLength = 256
    let plan = try Engine.plan(modelAt: model.path, options: options)
    let row = try #require(plan.memory.rows.first { $0.name == "KV cache" })
    // Two layers, keys and values, two heads of a block each.
    let blockByteCount = [KVCacheType.f32: 128, .q8_0: 34, .q4_0: 18][type] ?? 64
    let exact = 256 * 2 * 2 * 2 * blockByteCount
    #expect(row.byteCount >= exact && row.byteCount < exact + 2 * 4096)
  }

  @Test(arguments: [KVCacheType.q8_0, .q4_0])
  func headsThatAreNoWholeBlocksAreRefused(_ type: KVCacheType) throws {
    let model = try TinyModel { $0.headDimension = 48 }
    var options = EngineOptions()
    options.kvCacheType = type
    let error = #expect(throws: EngineError.self) {
      try Engine.plan(modelAt: model.path, options: options)
    }
    let text = error?.description ?? ""
    #expect(text.contains("f16, f32, bf16 for this model"), "\(text)")
    #expect(text.hasSuffix("but is \(type.rawValue)"), "\(text)")
  }
}
