import MoEAnalysis
import MoECore
import MoETestSupport

/// A random trace with as much of what is optional as the seed says.
func randomTrace(seed: UInt64) -> RoutingTrace {
  var random = SeededGenerator(seed: seed)
  func draw(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
  let expertCount = [1, 3, 16, 256, 257, 400][draw(0...5)]
  let perToken = draw(1...min(expertCount, 5))
  let first = draw(0...2)
  let layers = (0..<draw(1...4)).map { first + 2 * $0 }
  let tokenCount = draw(1...60)
  var metadata = RoutingTraceMetadata(
    expertCount: expertCount, expertsPerToken: perToken, layers: layers)
  (metadata.model, metadata.quantization) = ("Modell \"\(seed)\"\n", "Q8_0, F16")
  if seed % 3 == 0 { (metadata.modelHash, metadata.nativeExpertsPerToken) = ("x", 5) }
  metadata.others["notes"] = .object(["a": .array([.integer(1), .null, .bool(false)])])
  var experts: [Int32] = []
  for _ in 0..<tokenCount * layers.count {
    experts += (0..<Int32(expertCount)).shuffled(using: &random).prefix(perToken)
  }
  let starts = [0] + (0..<draw(0...3)).map { _ in draw(0...tokenCount - 1) }
  var trace = RoutingTrace(
    metadata: metadata, experts: experts, sequenceStarts: Set(starts).sorted())
  let present = draw(0...63)
  if present & 1 != 0 { trace.weights = experts.map { _ in Float(Float16(random.nextUnit())) } }
  if present & 2 != 0 {
    trace.logits = (0..<tokenCount * layers.count * expertCount).map { _ in
      Float(random.nextGaussian())
    }
  }
  if present & 4 != 0 { trace.tokenIDs = (0..<tokenCount).map { _ in Int32(draw(0...100_000)) } }
  if present & 8 != 0 { trace.labels = trace.sequenceStarts.map { "text ä \($0)" } }
  if present & 16 != 0 {
    trace.passStarts = Set(trace.sequenceStarts + (0..<5).map { _ in draw(0...tokenCount - 1) })
      .sorted()
  }
  if present & 32 != 0 {
    trace.phases = trace.passes.flatMap { pass in
      repeatElement(draw(0...1) == 0 ? .prefill : .decode, count: pass.count)
    }
  }
  return trace
}

/// The bytes of a `.moetrace` file, put together by hand from its description.
struct TraceBytes {
  var version: UInt32 = 1
  var header = """
    {"experts": 3, "k": 2, "layers_logged": [0, 5], "holds": ["weights", "token_ids", "passes"],
     "model": "m", "precision": "F16"}
    """
  /// Of the header; nil: as many bytes as it has.
  var headerByteCount: UInt32?
  var blocks: [UInt8] = []
  /// Nil: no end mark.
  var endTokenCount: UInt64? = 3
  var rest: [UInt8] = []

  static func little(_ value: some FixedWidthInteger) -> [UInt8] {
    (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  static func sequence(_ label: String) -> [UInt8] {
    [2] + little(UInt16(label.utf8.count)) + Array(label.utf8)
  }

  /// - Parameter records: Layer by layer, token by token.
  static func pass(
    phase: UInt8, ids: [Int32], records: [(experts: [UInt8], weights: [Float16])],
    tokenCount: UInt32? = nil
  ) -> [UInt8] {
    [1, phase] + little(tokenCount ?? UInt32(ids.count)) + ids.flatMap { little($0) }
      + records.flatMap { $0.experts + $0.weights.flatMap { little($0.bitPattern) } }
  }

  /// Two tokens of a prompt, and one that was generated.
  static var small: TraceBytes {
    var bytes = TraceBytes()
    bytes.blocks =
      sequence("hé")
      + pass(
        phase: 0, ids: [7, 500],
        records: [
          ([0, 1], [0.75, 0.25]), ([2, 1], [0.5, 0.5]), ([1, 0], [1, 0]),
          ([0, 2], [0.625, 0.375]),
        ])
      + pass(phase: 1, ids: [9], records: [([2, 0], [0.5, 0.25]), ([1, 2], [0.5, 0.125])])
    return bytes
  }

  var bytes: [UInt8] {
    var bytes = Array("MOETRACE".utf8) + Self.little(version)
    bytes += Self.little(headerByteCount ?? UInt32(header.utf8.count)) + Array(header.utf8)
    bytes += blocks
    if let endTokenCount {
      bytes += [3] + Self.little(endTokenCount) + Self.little(UInt64(0x1234))
      bytes += Self.little(NumpyArchive.checksum(bytes))
    }
    return bytes + rest
  }
}
