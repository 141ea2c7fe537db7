import MoECore
import MoEFormats
import MoEStore
import MoESynthetic
import MoETestSupport

/// Draws the parts of a scenario, the same ones for the same seed.
struct Draw {
  private var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  mutating func unit() -> Double { generator.nextUnit() }
  mutating func happens(_ likelihood: Double) -> Bool { unit() < likelihood }
  mutating func integer(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &generator) }

  mutating func one<Value>(of values: [Value]) -> Value { values[integer(0...values.count - 1)] }

  mutating func model() -> SyntheticModel {
    var model = SyntheticModel(one(of: SyntheticModel.Architecture.allCases))
    model.seed = generator.next() >> 1
    model.layerCount = integer(2...4)
    model.vocabularySize = 300
    // Rows of whole blocks of 256 for the K formats, seldom: such experts are not tiny.
    if happens(0.1) {
      (model.hiddenSize, model.expertWidth) = (256, 256)
      (model.layerCount, model.expertCount) = (2, integer(4...6))
    } else {
      (model.hiddenSize, model.expertWidth) = (one(of: [32, 64, 96]), one(of: [32, 64]))
      model.expertCount = one(of: [4, 5, 8, 13, 16, 32])
    }
    model.expertsPerToken = integer(1...min(model.expertCount, 6))
    model.formats.embedding = plainFormat()
    model.formats.attention = plainFormat()
    model.formats.output = plainFormat()
    chooseFormats(&model)
    return model
  }

  mutating func chooseFormats(_ model: inout SyntheticModel) {
    let isLarge = model.hiddenSize % 256 == 0
    model.formats.expertGate = isLarge ? one(of: [.q4_K, .q6_K]) : plainFormat()
    model.formats.expertUp = isLarge ? one(of: [.q4_K, .q8_0]) : plainFormat()
    model.formats.expertDown = isLarge ? one(of: [.q6_K, .bf16]) : plainFormat()
  }

  private mutating func plainFormat() -> GGMLType { one(of: [.f32, .f16, .bf16, .q8_0]) }

  /// Room for the reads of one token's step at least, and often for no more.
  mutating func limits(_ model: SyntheticModel) -> ExtentReader.Limits {
    var limits = ExtentReader.Limits()
    limits.depth = integer(1...9)
    limits.maxRequestByteCount = 4096 * integer(1...4)
    limits.tagCapacity = one(of: [128, 64, model.expertsPerToken + integer(0...2)])
    // Gate, up and down, each with a bias.
    limits.partCapacity = 6 * limits.tagCapacity
    limits.pauseNanoseconds = 0
    return limits
  }

  mutating func damage(fileByteCount: Int) -> Scenario.Damage {
    let count = integer(1...300)
    switch integer(0...8) {
    case 0: return .inputOutputError(likelihood: one(of: [0.001, 0.01, 0.2]))
    case 1:
      return .truncation(
        SimulatedBackend.Truncation(
          fileIndex: integer(0...1), byteCount: integer(0...fileByteCount),
          afterCompletionCount: count))
    case 2: return .touch(fileIndex: integer(0...1), afterCompletionCount: count)
    case 3: return .removal(submitCount: count)
    default: return .none
    }
  }

  mutating func faults(_ damage: Scenario.Damage) -> SimulatedBackend.Faults {
    var faults = SimulatedBackend.Faults()
    faults.delayStepsMax = one(of: [1, 5, 30])
    faults.shortRead = one(of: [0, 0.1, 0.5])
    faults.interrupted = one(of: [0, 0.1])
    faults.again = one(of: [0, 0.1])
    switch damage {
    case .inputOutputError(let likelihood): faults.inputOutputError = likelihood
    case .truncation(let truncation): faults.truncation = truncation
    case .touch(let index, let count): faults.touch = (index, count)
    case .removal, .none: break
    }
    return faults
  }

  mutating func tokens(_ count: Int, of model: SyntheticModel) -> [Int32] {
    (0..<count).map { _ in Int32(integer(0...model.vocabularySize - 1)) }
  }
}
