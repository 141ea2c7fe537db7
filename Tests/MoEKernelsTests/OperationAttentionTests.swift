import MoECore
import MoEKernels
import MoETestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// A cache with random content, and queries, for one shape.
private final class AttentionCase {
  let type: KVType
  let (heads, kvHeads, width, capacity): (Int, Int, Int, Int)
  let (position, tokens): (Int, Int)
  /// (head) parts that precede and follow the heads in each row.
  let padding = 3
  let q: Floats
  let keys: Floats
  let values: Floats
  let bytes: Bytes
  let partials: Floats
  /// Positions of a block; the blocks of keys and of values alternate, with a gap after both.
  let blockPositions: Int
  private let gap = 192

  /// Everything that tokens at `position ..< position + tokens` may see is random, the rest of the
  /// cache not a number, so that reading it shows.
  init(
    _ level: InstructionSet, _ type: KVType, heads: Int, kvHeads: Int, width: Int, position: Int,
    tokens: Int, seed: UInt64, blockPositions: Int? = KVView.blockGrain
  ) throws {
    var generator = SeededGenerator(seed: seed)
    self.type = type
    (self.heads, self.kvHeads, self.width) = (heads, kvHeads, width)
    (self.position, self.tokens) = (position, tokens)
    capacity = position + tokens + 2
    let rows = position + tokens
    q = Floats(count: tokens * (heads * width + padding), offset: 1, random: &generator)
    keys = Floats(count: rows * kvHeads * width, random: &generator)
    values = Floats(count: rows * kvHeads * width, random: &generator)
    self.blockPositions = min(blockPositions ?? capacity, capacity)
    let blockCount = (capacity + self.blockPositions - 1) / self.blockPositions
    let byteCount = KVView.byteCount(
      type: type, capacity: self.blockPositions, headCount: kvHeads, headDimension: width)
    bytes = try Bytes(count: blockCount * (2 * byteCount + gap))
    unsafe bytes.view.pointer.initializeMemory(
      as: UInt8.self, repeating: 0xFF, count: bytes.view.count)
    partials = Floats(
      count: KVView.partialCount(
        capacity: capacity, queryHeadCount: heads, headDimension: width), offset: 1)
    try Levels.team(level).appendKV(
      keys: keys.rows(rows, kvHeads * width), values: values.rows(rows, kvHeads * width),
      to: cache, position: 0)
  }

  var cache: KVView {
    let half = KVView.byteCount(
      type: type, capacity: blockPositions, headCount: kvHeads, headDimension: width)
    let count = bytes.view.count - half - gap
    return KVView(
      keys: bytes.view.slice(0, count: count), values: bytes.view.slice(half, count: count),
      type: type, capacity: capacity, headCount: kvHeads, headDimension: width,
      blockPositionCount: blockPositions, blockByteStride: 2 * half + gap,
      partials: partials.view)
  }

  var queries: FloatRows { q.rows(tokens, heads * width, stride: heads * width + padding) }

  /// What the cache holds of x.
  private func stored(_ x: Float) -> Double {
    switch type {
    case .f16: Double(Float16(x))
    case .f32: Double(x)
    }
  }

  /// Attention as defined, in double precision.
  func oracle(scale: Double) -> [Double] {
    var out: [Double] = []
    let (q, keys, values) = (self.q.array, self.keys.array, self.values.array)
    for token in 0..<tokens {
      for head in 0..<heads {
        let query = token * (heads * width + padding) + head * width
        let start = head / (heads / kvHeads) * width
        let scores = (0...position + token).map { past in
          let key = past * kvHeads * width + start
          return (0..<width).reduce(0.0) {
            $0 + Double(q[query + $1]) * stored(keys[key + $1])
          } * scale
        }
        let largest = scores.max()!
        let weights = scores.map { exp($0 - largest) }
        let sum = weights.reduce(0, +)
        for element in 0..<width {
          out.append(
            weights.indices.reduce(0.0) {
              $0 + weights[$1] * stored(values[$1 * kvHeads * width + start + element])
            } / sum)
        }
      }
    }
    return out
  }
}

@Suite struct OperationAttentionTests {
  private static let shapes: [(heads: Int, kvHeads: Int, width: Int)] = [
    (1, 1, 8), (4, 4, 64), (4, 2, 64), (6, 2, 80), (8, 2, 128), (5, 1, 36), (14, 2, 33), (3, 3, 7),
    (40, 1, 16), (70, 1, 24), (4, 1, 1), (2, 1, 576),
  ]
  private static let spans: [(position: Int, tokens: Int)] = [
    (0, 1), (1, 1), (62, 1), (63, 1), (64, 1), (200, 1), (0, 2), (0, 9), (60, 7), (61, 67),
    (128, 3), (0, 130), (511, 1), (512, 1), (509, 6), (1300, 2),
  ]

  @Test(arguments: Levels.all, KVType.allCases)
  func attentionEqualsItsDefinition(_ level: InstructionSet, _ type: KVType) throws {
    let team = try Levels.team(level)
    for (index, shape) in Self.shapes.enumerated() {
      for span in Self.spans {
        let test = try AttentionCase(
          level, type, heads: shape.heads, kvHeads: shape.kvHeads, width: shape.width,
          position: span.position, tokens: span.tokens, seed: UInt64(index))
        let columns = shape.heads * shape.width
        let out = Floats(count: span.tokens * columns, offset: 1)
        let scale = 1 / Float(shape.width).squareRoot()
        team.attend(
          test.queries, headCount: shape.heads, over: test.cache, position: span.position,
          scale: scale, into: out.rows(span.tokens, columns))
        let wanted = test.oracle(scale: Double(scale))
        #expect(
          zip(out.array, wanted).allSatisfy { abs(Double($0) - $1) < 2e-6 * max(1, abs($1)) },
          "\(shape) \(span)")
        #expect(out.guardsAreIntact && test.partials.guardsAreIntact)
      }
    }
  }

  /// The promise that makes prefill in chunks equal to decoding: bit for bit.
  @Test(arguments: Levels.all, KVType.allCases)
  func aTokensResultDoesNotDependOnItsCompany(_ level: InstructionSet, _ type: KVType) throws {
    for (heads, kvHeads, width) in [(8, 2, 64), (6, 2, 40), (5, 5, 36), (36, 1, 16)] {
      let (position, tokens, columns) = (50, 101, heads * width)
      let test = try AttentionCase(
        level, type, heads: heads, kvHeads: kvHeads, width: width, position: position,
        tokens: tokens, seed: 3)
      var results: Set<[UInt32]> = []
      for workers in [1, 2, 3, 7] {
        let team = try Levels.team(level, workers: workers)
        for chunk in [1, 2, 3, 8, 64, 101] {
          let out = Floats(count: tokens * columns)
          for start in stride(from: 0, to: tokens, by: chunk) {
            let count = min(chunk, tokens - start)
            team.attend(
              test.queries.rows(start, count: count), headCount: heads, over: test.cache,
              position: position + start, scale: 0.2,
              into: out.rows(tokens, columns).rows(start, count: count))
          }
          results.insert(out.bits)
        }
      }
      #expect(results.count == 1, "\(heads) heads")
      #expect(results.allSatisfy { $0.allSatisfy { !Float(bitPattern: $0).isNaN } })
    }
  }

  /// One token's past is shared among workers by heads or by heads and positions, and prefill takes
  /// it all in turn.
  @Test(arguments: Levels.all, KVType.allCases)
  func aLongPastGivesTheSameBitsHoweverItIsShared(
    _ level: InstructionSet, _ type: KVType
  ) throws {
    for (heads, kvHeads, width) in [(8, 2, 64), (6, 1, 40), (5, 5, 48), (70, 1, 16)] {
      let (position, tokens, columns) = (1020, 8, heads * width)
      let test = try AttentionCase(
        level, type, heads: heads, kvHeads: kvHeads, width: width, position: position,
        tokens: tokens, seed: 4)
      var results: Set<[UInt32]> = []
      for workers in [1, 2, 3, 5] {
        let team = try Levels.team(level, workers: workers)
        for chunk in [1, 3, 8] {
          let out = Floats(count: tokens * columns)
          for start in stride(from: 0, to: tokens, by: chunk) {
            let count = min(chunk, tokens - start)
            team.attend(
              test.queries.rows(start, count: count), headCount: heads, over: test.cache,
              position: position + start, scale: 0.2,
              into: out.rows(tokens, columns).rows(start, count: count))
          }
          results.insert(out.bits)
        }
      }
      #expect(results.count == 1, "\(heads) heads")
      #expect(test.partials.guardsAreIntact)
    }
  }

  /// Vectors of sixteen keep the order of vectors of eight.
  @Test(
    .enabled(if: Levels.all.contains(.avx512), "this machine or build has no AVX-512"),
    arguments: KVType.allCases, shapes)
  func bothVectorLevelsGiveTheSameBits(
    _ type: KVType, _ shape: (heads: Int, kvHeads: Int, width: Int)
  ) throws {
    for span in Self.spans {
      let test = try AttentionCase(
        .avx2, type, heads: shape.heads, kvHeads: shape.kvHeads, width: shape.width,
        position: span.position, tokens: span.tokens, seed: 9)
      let columns = shape.heads * shape.width
      let results = try [InstructionSet.avx2, .avx512].map { level in
        let out = Floats(count: span.tokens * columns)
        try Levels.team(level).attend(
          test.queries, headCount: shape.heads, over: test.cache, position: span.position,
          scale: 0.3, into: out.rows(span.tokens, columns))
        return out.bits
      }
      #expect(results[0] == results[1], "\(span)")
    }
  }

  @Test(arguments: Levels.all) func extremeScoresStayFinite(_ level: InstructionSet) throws {
    let test = try AttentionCase(
      level, .f32, heads: 2, kvHeads: 1, width: 16, position: 100, tokens: 2, seed: 5)
    for scale in [Float(1e-30), 1e4, -1e4] {
      let out = Floats(count: 2 * 32)
      try Levels.team(level).attend(
        test.queries, headCount: 2, over: test.cache, position: 100, scale: scale,
        into: out.rows(2, 32))
      let wanted = test.oracle(scale: Double(scale))
      #expect(zip(out.array, wanted).allSatisfy { abs(Double($0) - $1) < 2e-3 }, "\(scale)")
    }
  }

  // MARK: - Cache

  /// How positions are cut into blocks of memory shows in no bit: neither where one worker goes
  /// over the spans of a head, nor where several share them.
  @Test(arguments: Levels.all, KVType.allCases)
  func blocksOfMemoryChangeNoBit(_ level: InstructionSet, _ type: KVType) throws {
    for (seed, shape) in [(4, 2, 64, 0, 130), (3, 3, 40, 700, 1), (8, 1, 128, 1100, 5)].enumerated()
    {
      let results = try [64, 128, 256, nil].map { blockPositions in
        let (heads, kvHeads, width, position, tokens) = shape
        let each = try AttentionCase(
          level, type, heads: heads, kvHeads: kvHeads, width: width, position: position,
          tokens: tokens, seed: UInt64(seed), blockPositions: blockPositions)
        return try [1, 2].map { workers -> [UInt32] in
          let team = try #require(try WorkerTeam(workerCount: workers, instructionSet: level))
          let out = Floats(count: tokens * heads * width)
          team.attend(
            each.queries, headCount: heads, over: each.cache, position: position, scale: 0.1,
            into: out.rows(tokens, heads * width))
          return out.bits
        }
      }
      for result in results { #expect(result == results[3], "shape \(shape)") }
      #expect(results[3][0] == results[3][1])
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
      let half = bytes.view.count / 2
      let cache = KVView(
        keys: bytes.view.slice(0, count: half), values: bytes.view.slice(half, count: half),
        type: .f16, capacity: 1, headCount: 1, headDimension: values.count)
      let x = Floats(values, offset: 1)
      try Levels.team(level).appendKV(
        keys: x.rows(1, values.count), values: x.rows(1, values.count), to: cache, position: 0)
      let wanted = values.map { Float16($0).bitPattern }
      for view in [cache.keys, cache.values] {
        let found = (0..<values.count).map {
          unsafe view.pointer.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)
        }
        #expect(found == wanted, "\(level)")
      }
    }
  }

  @Test(arguments: Levels.all, KVType.allCases)
  func appendWritesItsPositionsAndNoOthers(_ level: InstructionSet, _ type: KVType) throws {
    let (heads, width, capacity, position, tokens) = (3, 13, 9, 4, 3)
    let half = KVView.byteCount(
      type: type, capacity: capacity, headCount: heads, headDimension: width)
    let bytes = try Bytes(count: 2 * half)
    let cache = KVView(
      keys: bytes.view.slice(0, count: half), values: bytes.view.slice(half, count: half),
      type: type, capacity: capacity, headCount: heads, headDimension: width)
    let stride = heads * width + 2
    let keys = Floats(count: tokens * stride) { Float($0 + 1) }
    let values = Floats(count: tokens * stride) { Float(-$0 - 1) }
    try Levels.team(level).appendKV(
      keys: keys.rows(tokens, heads * width, stride: stride),
      values: values.rows(tokens, heads * width, stride: stride), to: cache, position: position)
    for head in 0..<heads {
      for slot in 0..<capacity {
        for element in 0..<width {
          let index = (head * capacity + slot) * width + element
          let token = slot - position
          let isNew = token >= 0 && token < tokens
          let wanted = isNew ? Float(token * stride + head * width + element + 1) : 0
          #expect(load(cache.keys, index, type) == wanted)
          #expect(load(cache.values, index, type) == -wanted)
        }
      }
    }
  }

  private func load(_ view: ByteView, _ index: Int, _ type: KVType) -> Float {
    switch type {
    case .f16: Float(unsafe view.pointer.load(fromByteOffset: 2 * index, as: Float16.self))
    case .f32: unsafe view.pointer.load(fromByteOffset: 4 * index, as: Float.self)
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
