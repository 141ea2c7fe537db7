internal import MoECore
internal import MoEKernels
internal import MoEStore

/// Parts of experts, coded and decoded, weights from a Gaussian: bytes as products read them.
enum CodecBenchmark {
  private static let formats = ["BF16", "F16", "Q8_0", "Q4_K", "TERNARY"]
    .compactMap { name in (QuantFormat.all + [.ternary]).first { $0.name == name } }

  @Sendable static func benchmarks(_ context: BenchmarkContext) -> [Benchmark] {
    let codecs = CodecRegistry.all.filter { $0.id != CodecRegistry.none.id }
    return codecs.flatMap { codec in
      formats.filter(codec.takes).flatMap { format in
        [
          Benchmark(name: "codec/\(codec.name)/\(format.name)/decode") {
            try decode(codec, format, context)
          },
          Benchmark(name: "codec/\(codec.name)/\(format.name)/encode") {
            try encode(codec, format, context)
          },
        ]
      }
    }
  }

  private static func shape(_ format: QuantFormat, _ context: BenchmarkContext) -> CodedShape {
    CodedShape(format: format, rowCount: context.size(1024, toy: 4), columnCount: 2048)
  }

  /// Words whose sum of four is near to a Gaussian; quants of other formats are noise.
  private static func part(_ shape: CodedShape) throws -> BenchmarkMemory {
    let memory = try BenchmarkMemory(byteCount: shape.byteCount)
    if shape.format == .ternary {
      BenchmarkTernary.fill(
        memory.bytes, rowCount: shape.rowCount, columnCount: shape.columnCount)
      return memory
    }
    var generator = SeededGenerator(seed: 1)
    let isHalf = shape.format.name == "F16"
    for start in stride(from: 0, to: shape.byteCount - 1, by: 2) {
      let value = (0..<4).reduce(0.0) { sum, _ in sum + generator.nextUnit() - 0.5 } * 0.04
      let word: UInt16
      if shape.format.blockByteCount > 2 {
        word = UInt16(truncatingIfNeeded: generator.next())
      } else {
        word =
          isHalf
          ? Float16(value).bitPattern : UInt16(truncatingIfNeeded: Float(value).bitPattern >> 16)
      }
      memory.bytes[start] = UInt8(truncatingIfNeeded: word)
      memory.bytes[start + 1] = UInt8(truncatingIfNeeded: word >> 8)
    }
    return memory
  }

  private static func decode(
    _ codec: CodecEntry, _ format: QuantFormat, _ context: BenchmarkContext
  ) throws -> Benchmark.Prepared {
    let shape = shape(format, context)
    let part = try part(shape)
    let room = try CodecRoom(context.team, encodes: true)
    let bytes = part.bytes.slice(0, count: shape.byteCount)
    // Parts that gain nothing are kept as they are: what is timed then is a copy.
    let coded = try codec.encode(bytes, shape, room)
    let entry = coded == nil ? CodecRegistry.none : codec
    let code = coded ?? bytes.array()
    let stored = try BenchmarkMemory(byteCount: code.count)
    stored.bytes.copy(from: code)
    let target = try BenchmarkMemory(byteCount: shape.byteCount)
    let isDecoded = entry.residentFormat == nil
    return Benchmark.Prepared(
      byteCount: shape.byteCount, memory: [part, stored, target],
      run: {
        try entry.decode(
          stored.bytes.slice(0, count: code.count), shape, target.bytes, room)
      },
      isRight: {
        isDecoded
          ? target.bytes.slice(0, count: shape.byteCount).isEqual(to: bytes)
          : QMoECode.headByteCount * shape.rowCount == Int(target.bytes.littleEndianWord(at: 0))
      })
  }

  private static func encode(
    _ codec: CodecEntry, _ format: QuantFormat, _ context: BenchmarkContext
  ) throws -> Benchmark.Prepared {
    let shape = shape(format, context)
    let part = try part(shape)
    let room = try CodecRoom(context.team, encodes: true)
    var count: Int?
    return Benchmark.Prepared(
      byteCount: shape.byteCount, memory: [part],
      run: {
        count = try codec.encode(part.bytes.slice(0, count: shape.byteCount), shape, room)?.count
      },
      isRight: { (count ?? 0) < shape.byteCount })
  }
}
