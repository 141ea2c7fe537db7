import MoECache
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport
import Testing

/// Everything that one simulated run is made of, drawn from its seed.
struct Scenario: Sendable, CustomTestStringConvertible {
  /// What the disk may do beyond being slow, short and interrupted.
  enum Damage: Sendable {
    case none
    /// Some reads fail for good.
    case inputOutputError(likelihood: Double)
    case truncation(SimulatedBackend.Truncation)
    /// The file is written to.
    case touch(fileIndex: Int, afterCompletionCount: Int)
    /// The device goes away.
    case removal(submitCount: Int)
  }

  let seed: UInt64
  let first: SyntheticModel
  /// Gives the experts of `foreignLayers`.
  let second: SyntheticModel
  let foreignLayers: Set<Int>
  /// From 0, the smallest pool that works, to 1, room for every expert.
  let poolShare: Double
  /// Never left to the clock, so that a seed repeats itself.
  let prefetch: PrefetchOptions
  let policy: String
  let predictor: PredictorEntry
  let alignment: Int
  let limits: ExtentReader.Limits
  var faults: SimulatedBackend.Faults
  var moods: UnsteadyBackend.Moods
  let damage: Damage
  /// How often a pass is cancelled at some layer, from 0 to 1.
  let cancellation: Double
  let workerCount: Int
  let kvType: KVType
  let promptTokens: [Int32]
  let chunk: Int
  let decodeTokens: [Int32]
  /// What is read before the first step, and how often that is waited for; 0: there is no warm-up.
  let hottest: [ExpertID]
  let warmUpWaitCount: Int

  var tokens: [Int32] { promptTokens + decodeTokens }

  init(seed: UInt64) {
    var draw = Draw(seed: seed)
    self.seed = seed
    let first = draw.model()
    self.first = first
    var second = first
    second.seed = first.seed &+ 1
    draw.chooseFormats(&second)
    self.second = second
    foreignLayers = Set((0..<first.layerCount).filter { _ in draw.happens(0.4) })
    poolShare = draw.one(of: [0, draw.unit(), draw.unit(), draw.unit(), 1])
    prefetch = PrefetchOptions(
      stagingSlotCount: draw.one(of: [nil, 0, 1, 2, 5]),
      leastProbability: draw.one(of: [0, 0.3, 0.6]))
    policy = draw.one(of: PolicyRegistry.all.map(\.name))
    alignment = draw.one(of: [1, 512, 4096])
    limits = draw.limits(first)
    let damage = draw.damage(fileByteCount: (try? first.byteCount()) ?? 0)
    self.damage = damage
    faults = draw.faults(damage)
    var moods = UnsteadyBackend.Moods()
    moods.interruptedWait = draw.one(of: [0, 0.3])
    switch damage {
    case .removal(let count): moods.submitCountMax = count
    case .touch(let index, let count): moods.overwriting = (index, count)
    case .none, .inputOutputError, .truncation: break
    }
    self.moods = moods
    cancellation = draw.one(of: [0, 0, 0.3])
    workerCount = draw.one(of: [1, 2])
    let description = try? first.description()
    kvType = draw.one(of: KVType.allCases.filter { description?.canKeep($0) == true })
    promptTokens = draw.tokens(draw.integer(1...24), of: first)
    chunk = draw.integer(1...promptTokens.count)
    decodeTokens = draw.tokens(draw.integer(1...16), of: first)
    let routers = description?.routers ?? []
    let routed = routers.indices.filter { routers[$0] != nil }
    hottest = (0..<draw.integer(0...40)).map { _ in
      ExpertID(
        layer: draw.one(of: routed),
        index: draw.integer(0...first.expertCount - 1))
    }
    warmUpWaitCount = draw.one(of: [0, 0, 1, 3, 100])
    predictor = draw.one(of: PredictorRegistry.all)
  }

  var testDescription: String {
    let formats = [first, second].map { model in
      [model.formats.expertGate, model.formats.expertUp, model.formats.expertDown]
        .map(\.name).joined(separator: "/")
    }
    return """
      seed \(seed): \(first.architecture.rawValue), \(first.layerCount) layers of \
      \(first.expertsPerToken) in \(first.expertCount) experts, \(first.hiddenSize) x \
      \(first.expertWidth) \(formats[0]), layers \(foreignLayers.sorted()) \(formats[1]); \
      pool \(poolShare), \(policy), guesses by \(predictor.name), \
      alignment \(alignment), depth \(limits.depth), \
      \(limits.tagCapacity) tags, requests of \(limits.maxRequestByteCount); \
      \(faults), \(moods), \(damage), \
      cancellation \(cancellation); \(promptTokens.count) prompt tokens by \(chunk), \
      \(decodeTokens.count) more, \(workerCount) threads, keys in \(kvType), \
      \(hottest.count) experts warmed up, waiting \(warmUpWaitCount) times
      """
  }
}
