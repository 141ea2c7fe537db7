import MoECompression
import MoECore
import MoEFormats
import MoEKernels
import MoESynthetic
import MoETestSupport
import Testing

/// Every format that weights are written in, read back by the kernels that models run with.
@Suite struct BlockEncoderTests {
  static let names = BlockEncoderRegistry.all.map(\.name)

  /// Kinds of blocks that quantisers get wrong.
  enum Content: CaseIterable, Sendable {
    case gaussian, uniform, positive, negative, outliers, constant, sparse, tiny, mixed

    func block(_ count: Int, _ random: inout SeededGenerator) -> [Float] {
      (0..<count).map { index in
        let gaussian = Float(random.nextGaussian())
        return switch self {
        case .gaussian: 0.02 * gaussian
        case .uniform: Float(random.nextUnit()) - 0.5
        case .positive: 0.01 + abs(gaussian)
        case .negative: -0.3 - 0.1 * abs(gaussian)
        case .outliers: index % 37 == 5 ? 50 * gaussian : 0.1 * gaussian
        case .constant: -0.375
        case .sparse: index % 9 == 0 ? gaussian : 0
        case .tiny: 1e-5 * gaussian
        case .mixed: gaussian * (index / 32 % 2 == 0 ? 1 : 1e-3)
        }
      }
    }
  }

  private static func encoder(_ name: String) throws -> BlockEncoder {
    try #require(BlockEncoderRegistry.entry(named: name))
  }

  @Test(arguments: names, Content.allCases)
  func kernelsReadWhatTheGridSays(_ name: String, _ content: Content) throws {
    let encoder = try Self.encoder(name)
    var random = SeededGenerator(seed: 1)
    for _ in 0..<20 {
      let block = content.block(encoder.shape.elementCount, &random)
      let (bytes, values) = try encoder.encoded(block)
      let read = encoder.format.floats(bytes)
      #expect(read == values)
    }
  }

  @Test(arguments: names, Content.allCases)
  func noBlockLosesMoreThanPlainly(_ name: String, _ content: Content) throws {
    let encoder = try Self.encoder(name)
    var random = SeededGenerator(seed: 2)
    var (own, plain) = (0.0, 0.0)
    for _ in 0..<50 {
      let block = content.block(encoder.shape.elementCount, &random)
      let loss = squaredDifference(block, try encoder.encoded(block).values)
      let naive = squaredDifference(block, NaiveBlocks.values(block, encoder))
      // Losses are summed as floats while grids are compared.
      #expect(loss <= naive * (1 + 1e-4) + 1e-14, "\(loss) against \(naive)")
      own += loss
      plain += naive
    }
    if content == .gaussian && name != "q8_0" { #expect(own < 0.95 * plain, "\(own / plain)") }
  }

  /// Bytes of blocks with minima that hold the first and the second element of each group.
  private static let ends: [String: (first: [Int], second: [Int])] = [
    "q2_k": ([16, 32, 48, 64], [17, 33, 49, 65]),
    "q4_k": ([16, 48, 80, 112], [17, 49, 81, 113]),
    "q5_k": ([16, 48, 80, 112, 144], [17, 49, 81, 113, 145]),
  ]

  /// Weights that are on a grid of the format stay what they are: nearly all random blocks do.
  /// Where there are minima, groups must have both the lowest and the highest code; else the same
  /// weights are on other grids as well, which the format cannot tell as exactly.
  @Test(arguments: names) func weightsOnAGridStay(_ name: String) throws {
    let encoder = try Self.encoder(name)
    let type = try #require(GGMLType(id: encoder.format.ggmlType))
    let source = try #require(RandomBlocks(type))
    var random = SeededGenerator(seed: 3)
    let shape = encoder.shape
    var exactCount = 0
    let blockCount = 200
    for _ in 0..<blockCount {
      var bytes = source.blocks(count: 1, deviation: 0.05, &random)
      // The code -128, which no block is written with.
      if name == "q8_0" { for index in 2..<34 where bytes[index] == 128 { bytes[index] = 129 } }
      for index in Self.ends[name]?.first ?? [] { bytes[index] = 0 }
      for index in Self.ends[name]?.second ?? [] { bytes[index] = 0xFF }
      let block = encoder.format.floats(bytes)
      let read = encoder.format.floats(try encoder.encoded(block).bytes)
      if read == block { exactCount += 1 }
      for group in 0..<shape.groupCount {
        let range = group * shape.groupElementCount..<(group + 1) * shape.groupElementCount
        // Neighbours of the group's values are a step apart.
        let distinct = Set(block[range]).sorted()
        let step = zip(distinct, distinct.dropFirst()).map { $1 - $0 }.min() ?? 0
        for index in range where step > 0 {
          #expect(abs(read[index] - block[index]) < step, "group \(group)")
        }
      }
    }
    let share = Double(exactCount) / Double(blockCount)
    #expect(share >= 0.99, "\(share) of the blocks stay")
  }

  @Test(arguments: names) func zerosStay(_ name: String) throws {
    let encoder = try Self.encoder(name)
    let zeros = [Float](repeating: 0, count: encoder.shape.elementCount)
    #expect(encoder.format.floats(try encoder.encoded(zeros).bytes).allSatisfy { $0 == 0 })
    var one = zeros
    one[7] = 1
    let read = encoder.format.floats(try encoder.encoded(one).bytes)
    #expect(abs(read[7] - 1) < 0.01)
    for (index, value) in read.enumerated() where index != 7 { #expect(value == 0) }
  }

  /// Below what 16 bits can say, nothing is left; nothing is made up either.
  @Test(arguments: names) func denormalsDoNoHarm(_ name: String) throws {
    let encoder = try Self.encoder(name)
    for exponent in [-149, -133, -100, -30, -24, -20] {
      let magnitude = Float(sign: .plus, exponent: exponent, significand: 1)
      let block = (0..<encoder.shape.elementCount).map { $0 % 3 == 0 ? magnitude : -magnitude }
      for value in encoder.format.floats(try encoder.encoded(block).bytes) {
        #expect(value.isFinite && abs(value) <= 2 * magnitude)
      }
    }
  }

  @Test(arguments: names) func importantWeightsLoseLess(_ name: String) throws {
    let encoder = try Self.encoder(name)
    var random = SeededGenerator(seed: 4)
    var (weighted, plain) = (0.0, 0.0)
    for _ in 0..<50 {
      let block = Content.gaussian.block(encoder.shape.elementCount, &random)
      let importance = block.indices.map { $0 % 8 == 0 ? Float(1) : 0.01 }
      weighted += squaredDifference(
        block, try encoder.encoded(block, importance: importance).values, importance: importance)
      plain += squaredDifference(
        block, try encoder.encoded(block).values, importance: importance)
    }
    #expect(weighted < plain)
  }

  @Test(arguments: names) func fuzzOfMagnitudesDoesNoHarm(_ name: String) throws {
    let encoder = try Self.encoder(name)
    for seed in Fuzz.seeds(200) {
      var random = SeededGenerator(seed: seed)
      let block = (0..<encoder.shape.elementCount).map { _ -> Float in
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return 0
        case 1: return EncodingError.magnitudeMax * (Bool.random(using: &random) ? 1 : -1)
        default:
          let exponent = Int.random(in: -30...15, using: &random)
          return Float(sign: .plus, exponent: exponent, significand: Float(random.nextGaussian()))
            .clamped
        }
      }
      let importance = block.map { _ in Float(max(0, random.nextGaussian())) }
      for values in [nil, importance] {
        let (bytes, grid) = try encoder.encoded(block, importance: values)
        let read = encoder.format.floats(bytes)
        #expect(read == grid && read.allSatisfy(\.isFinite), "seed \(seed)")
      }
      let loss = squaredDifference(block, try encoder.encoded(block).values)
      let naive = squaredDifference(block, NaiveBlocks.values(block, encoder))
      #expect(loss <= naive * (1 + 1e-4), "seed \(seed): \(loss) against \(naive)")
    }
  }

  @Test func theRegistryNamesFormatsOnce() throws {
    #expect(Set(Self.names).count == Self.names.count)
    for encoder in BlockEncoderRegistry.all {
      #expect(encoder.format.name.lowercased() == encoder.name)
      #expect(encoder.format.blockElementCount == encoder.shape.elementCount)
    }
    #expect(try Self.encoder("q4_k").bitsPerWeight == 4.5)
    #expect(try Self.encoder("q2_k").bitsPerWeight == 2.625)
  }

  @Test func rowsThatKFormatsDoNotDivideHaveASubstitute() throws {
    func name(_ wanted: String, _ columnCount: Int) throws -> String? {
      BlockEncoderRegistry.substitute(for: try Self.encoder(wanted), columnCount: columnCount)?
        .name
    }
    #expect(try name("q4_k", 512) == "q4_k")
    #expect(try name("q4_k", 576) == "q4_0" && name("q2_k", 576) == "q4_0")
    #expect(try name("q6_k", 576) == "q8_0" && name("q5_k", 576) == "q8_0")
    #expect(try name("q4_k", 48) == nil && name("q8_0", 48) == nil)
  }
}

extension Float {
  fileprivate var clamped: Float {
    max(-EncodingError.magnitudeMax, min(EncodingError.magnitudeMax, self))
  }
}
