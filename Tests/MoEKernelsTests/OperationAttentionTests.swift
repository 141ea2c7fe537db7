import MoECore
import MoEKernels
import MoESynthetic
import MoETestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

@Suite struct OperationAttentionTests {
  private static let shapes = [
    (1, 1, 8), (4, 4, 64), (4, 2, 64), (6, 2, 80), (8, 2, 128), (5, 1, 36), (14, 2, 33), (3, 3, 7),
    (40, 1, 16), (70, 1, 24), (4, 1, 1), (2, 1, 576),
  ].map { AttentionShape($0, $1, $2) }
  private static let spans: [(position: Int, tokens: Int)] =
    [
      (0, 1), (1, 1), (62, 1), (63, 1), (64, 1), (200, 1), (0, 2), (0, 9), (60, 7), (61, 67),
      (128, 3), (0, 130), (511, 1), (512, 1), (509, 6), (1300, 2),
    ].thinned

  @Test(arguments: Levels.all, KVType.allCases)
  func attentionEqualsItsDefinition(_ level: InstructionSet, _ type: KVType) throws {
    let team = try Levels.team(level)
    for (index, shape) in Self.shapes.enumerated() {
      for span in Self.spans {
        let step = try AttentionStep(
          shape, type, level, position: span.position, tokens: span.tokens, seed: UInt64(index))
        let scoring = Scoring(scale: 1 / Float(step.shape.keyWidth).squareRoot())
        #expect(agrees(step.run(team, scoring), step.oracle(scoring)), "\(shape) \(span)")
      }
    }
  }

  /// The promise that makes prefill in chunks equal to decoding: bit for bit.
  @Test(arguments: Levels.all, KVType.allCases)
  func aTokensResultDoesNotDependOnItsCompany(_ level: InstructionSet, _ type: KVType) throws {
    for (heads, kvHeads, width) in [(8, 2, 64), (6, 2, 40), (5, 5, 36), (36, 1, 16)] {
      let step = try AttentionStep(
        AttentionShape(heads, kvHeads, width), type, level, position: 50, tokens: 101, seed: 3)
      var results: Set<[UInt32]> = []
      for workers in [1, 2, 3, 7] {
        let team = try Levels.team(level, workers: workers)
        for chunk in [1, 2, 3, 8, 64, 101] {
          results.insert(bits(step.runInChunks(team, of: chunk)))
        }
      }
      #expect(results.count == 1, "\(heads) heads")
      #expect(results.allSatisfy { $0.allSatisfy { !Float(bitPattern: $0).isNaN } })
    }
  }

  /// A row's past is shared among workers by heads or by heads and positions, and prefill takes it
  /// all in turn.
  @Test(arguments: Levels.all, KVType.allCases)
  func aLongPastGivesTheSameBitsHoweverItIsShared(
    _ level: InstructionSet, _ type: KVType
  ) throws {
    for (heads, kvHeads, width) in [(8, 2, 64), (6, 1, 40), (5, 5, 48), (70, 1, 16)] {
      let step = try AttentionStep(
        AttentionShape(heads, kvHeads, width), type, level, position: 1020, tokens: 8, seed: 4)
      var results: Set<[UInt32]> = []
      for workers in [1, 2, 3, 5] {
        let team = try Levels.team(level, workers: workers)
        for chunk in [1, 3, 8] {
          results.insert(bits(step.runInChunks(team, of: chunk)))
        }
        results.insert(bits(step.run(team, sharesSpans: false)))
      }
      #expect(results.count == 1, "\(heads) heads")
    }
  }

  /// Vectors of sixteen keep the order of vectors of eight.
  @Test(
    .enabled(if: Levels.all.contains(.avx512), "this machine or build has no AVX-512"),
    arguments: KVType.allCases, shapes)
  func bothVectorLevelsGiveTheSameBits(_ type: KVType, _ shape: AttentionShape) throws {
    for span in Self.spans {
      let step = try AttentionStep(
        shape, type, .avx2, position: span.position, tokens: span.tokens, seed: 9)
      let results = try [InstructionSet.avx2, .avx512].map { level in
        bits(step.run(try Levels.team(level), Scoring(scale: 0.3)))
      }
      #expect(results[0] == results[1], "\(span)")
    }
  }

  @Test(arguments: Levels.all) func extremeScoresStayFinite(_ level: InstructionSet) throws {
    let step = try AttentionStep(
      AttentionShape(2, 1, 16), .f32, level, position: 100, tokens: 2, seed: 5)
    for scale in [Float(1e-30), 1e4, -1e4] {
      let scoring = Scoring(scale: scale)
      let found = step.run(try Levels.team(level), scoring)
      #expect(agrees(found, step.oracle(scoring), tolerance: 2e-3), "\(scale)")
    }
  }

  // MARK: - Cache

  /// How positions are cut into pages of memory shows in no bit: neither where one worker goes over
  /// the spans of a head, nor where several share them.
  @Test(arguments: Levels.all, KVType.allCases)
  func pagesOfMemoryChangeNoBit(_ level: InstructionSet, _ type: KVType) throws {
    for (seed, shape) in [(4, 2, 64, 0, 130), (3, 3, 40, 700, 1), (8, 1, 128, 1100, 5)].enumerated()
    {
      let (heads, kvHeads, width, position, tokens) = shape
      var results: Set<[UInt32]> = []
      for pagePositions in [64, 128, 256, nil] {
        let step = try AttentionStep(
          AttentionShape(heads, kvHeads, width), type, level, position: position, tokens: tokens,
          seed: UInt64(seed), pagePositions: pagePositions)
        for workers in [1, 2] {
          results.insert(bits(step.run(try Levels.team(level, workers: workers))))
        }
      }
      #expect(results.count == 1, "shape \(shape)")
    }
  }

  @Test func f16CachesRoundAsTheStandardTypeDoesAtEveryLevel() throws {
    var values: [Float] = [
      0, -0.0, 1, 65504, 65519.99, 65520, 1e9, -1e9, .infinity, -.infinity, 0x1p-24, 0x1p-25,
      0x1.000002p-25, 0x1p-14, 0x1.ffcp-15, 0x1.ffep-15, 0x1.fffffep-15, 1e-30, -1e-30,
      .leastNonzeroMagnitude, 2049, 2051,
    ]
    var generator = SeededGenerator(seed: 11)
    while values.count < 8 * 250 {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
      if !value.isNaN { values.append(value) }
    }
    for level in Levels.all {
      let bytes = try Bytes(count: 2 * 2 * values.count)
      let x = Floats(values, offset: 1)
      withOnePage(bytes, type: .f16, positions: 1, heads: 1, width: values.count) { cache in
        _ = try? Levels.team(level).appendKV(
          keys: x.rows(1, values.count), values: x.rows(1, values.count),
          to: [AttentionSegment(view: cache, position: 0, rowCount: 1)])
      }
      let wanted = values.map { Float16($0).bitPattern }
      let found = (0..<2 * values.count).map {
        unsafe bytes.view.pointer.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)
      }
      #expect(found == wanted + wanted, "\(level)")
    }
  }

  /// Numbers of every kind, those that blocks hold badly among them.
  @Test(arguments: KVType.allCases)
  func numbersAreKeptAsTheirTypeIsDefinedAtEveryLevel(_ type: KVType) throws {
    var generator = SeededGenerator(seed: 13)
    var values: [Float] = []
    for exponent in [-30, -8, 0, 1, 5, 20, 35] {
      for _ in 0..<128 { values.append(Float(generator.nextGaussian()) * pow(2, Float(exponent))) }
    }
    values += (0..<64).map { Float($0 % 32) - 15.5 } + Array(repeating: 0, count: 31) + [1e-30]
    for special in [Float.infinity, -.infinity, .greatestFiniteMagnitude, -1e7, 1e-38] {
      values += (0..<31).map { Float($0) } + [special]
    }
    let wanted = type.bytes(values)
    for level in Levels.all {
      let bytes = try Bytes(count: 2 * wanted.count)
      let x = Floats(values, offset: 1)
      withOnePage(bytes, type: type, positions: 1, heads: 1, width: values.count) { cache in
        _ = try? Levels.team(level).appendKV(
          keys: x.rows(1, values.count), values: x.rows(1, values.count),
          to: [AttentionSegment(view: cache, position: 0, rowCount: 1)])
      }
      #expect(bytes.array == wanted + wanted, "\(level)")
    }
  }

  /// Blocks are those of files, so what reads these reads them.
  @Test(arguments: [(KVType.q8_0, UInt32(8)), (.q4_0, 2), (.bf16, 30), (.f16, 1), (.f32, 0)])
  func filesHaveTheSameBlocks(_ type: KVType, _ ggmlType: UInt32) throws {
    guard let format = QuantFormat(ggmlType: ggmlType) else {
      try Test.cancel("no kernels for files' type \(ggmlType)")
    }
    #expect(format.blockByteCount == type.blockByteCount)
    #expect(format.blockElementCount == type.blockElementCount)
    var generator = SeededGenerator(seed: 14)
    let values = (0..<256).map { _ in Float(generator.nextGaussian()) }
    #expect(format.floats(type.bytes(values)) == type.stored(values))
  }

  @Test(arguments: Levels.all, KVType.allCases)
  func appendWritesItsPositionsAndNoOthers(_ level: InstructionSet, _ type: KVType) throws {
    let (heads, capacity, position, tokens) = (3, 9, 4, 3)
    let width = type.blockElementCount == 1 ? 13 : 2 * type.blockElementCount
    let rowBytes = type.byteCount(dimension: width)
    let half = heads * capacity * rowBytes
    let bytes = try Bytes(count: 2 * half)
    let stride = heads * width + 2
    let keys = Floats(count: tokens * stride) { Float($0 + 1) }
    let values = Floats(count: tokens * stride) { Float(-$0 - 1) }
    let team = try Levels.team(level)
    withOnePage(bytes, type: type, positions: capacity, heads: heads, width: width) { cache in
      team.appendKV(
        keys: keys.rows(tokens, heads * width, stride: stride),
        values: values.rows(tokens, heads * width, stride: stride),
        to: [AttentionSegment(view: cache, position: position, rowCount: tokens)])
    }
    let found = bytes.array
    for head in 0..<heads {
      for slot in 0..<capacity {
        let start = (head * capacity + slot) * rowBytes
        let token = slot - position
        var wanted = (keys: Array(repeating: UInt8(0), count: rowBytes), values: [UInt8]())
        wanted.values = wanted.keys
        if token >= 0 && token < tokens {
          let row = (0..<width).map { Float(token * stride + head * width + $0 + 1) }
          wanted = (type.bytes(row), type.bytes(row.map { -$0 }))
        }
        #expect(Array(found[start..<start + rowBytes]) == wanted.keys)
        #expect(Array(found[half + start..<half + start + rowBytes]) == wanted.values)
      }
    }
  }

  // MARK: - Rotary position embedding

  @Test(arguments: RotaryPairing.allCases, [1, 2, 3, 7, 8, 16, 20, 32, 64])
  func rotationEqualsItsDefinitionAtEveryLevel(_ pairing: RotaryPairing, _ pairs: Int) throws {
    var generator = SeededGenerator(seed: UInt64(pairs))
    let (tokens, heads, width) = (3, 5, 2 * pairs + 4)
    let stride = heads * width + 3
    let angles = (0..<tokens * pairs).map { _ in generator.nextUnit() * 100 }
    let cosines = Floats(angles.map { Float(cos($0)) })
    let sines = Floats(angles.map { Float(sin($0)) })
    let start = (0..<tokens * stride).map { _ in Float(generator.nextGaussian()) }
    var wanted = start.map(Double.init)
    for token in 0..<tokens {
      for head in 0..<heads {
        for pair in 0..<pairs {
          let base = token * stride + head * width
          let first = base + (pairing == .neox ? pair : 2 * pair)
          let second = base + (pairing == .neox ? pair + pairs : 2 * pair + 1)
          let angle = angles[token * pairs + pair]
          let (a, b) = (wanted[first], wanted[second])
          wanted[first] = a * cos(angle) - b * sin(angle)
          wanted[second] = a * sin(angle) + b * cos(angle)
        }
      }
    }
    var results: Set<[UInt32]> = []
    for level in Levels.all {
      let x = Floats(start, offset: 1)
      try Levels.team(level).rotate(
        x.rows(tokens, heads * width, stride: stride), headCount: heads, headDimension: width,
        cosines: cosines.rows(tokens, pairs), sines: sines.rows(tokens, pairs), pairing: pairing)
      #expect(relativeError(x.array, wanted) < 2e-7)
      #expect(x.guardsAreIntact)
      results.insert(x.bits)
    }
    #expect(results.count == 1)
  }
}
