import MoECore

/// Reads a `.moetrace` file's bytes, which are untrusted: whatever is wrong with them ends in one
/// sentence. `Traces/README.md` describes the format.
struct RoutingTraceReader {
  private let bytes: [UInt8]
  private let metadata: RoutingTraceMetadata
  private let contents: RoutingTraceContents
  private var position: Int
  private var check: SelectionCheck

  private var experts: [Int32] = []
  private var weights: [Float] = []
  private var logits: [Float] = []
  private var tokenIDs: [Int32] = []
  /// Nil once a pass did not say which it was.
  private var phases: [InferencePhase]? = []
  private var tokenCount = 0
  private var sequenceStarts: [Int] = []
  private var labels: [String] = []
  private var passStarts: [Int] = []
  private var promptHash: UInt64 = 0

  /// Why the bytes are no trace, as the end of a sentence about the file.
  struct Problem: Error {
    let text: String
  }

  static func trace(_ bytes: [UInt8]) throws(Problem) -> RoutingTrace {
    var reader = try RoutingTraceReader(bytes)
    try reader.readBlocks()
    return reader.makeTrace()
  }

  private init(_ bytes: [UInt8]) throws(Problem) {
    self.bytes = bytes
    guard bytes.starts(with: RoutingTraceFormat.magic) else {
      throw Problem(text: "it does not begin with MOETRACE")
    }
    position = RoutingTraceFormat.magic.count
    var cursor = ByteCursor(bytes: bytes, position: position)
    guard let version = cursor.integer(UInt32.self), let size = cursor.integer(UInt32.self) else {
      throw Problem(text: "it ends in its header")
    }
    guard version == RoutingTraceFormat.version else {
      throw Problem(
        text: "its format has the version \(version), of which this program knows only "
          + "\(RoutingTraceFormat.version)")
    }
    guard size <= RoutingTraceFormat.headerByteCountMax,
      let text = cursor.take(Int(size))
    else {
      throw Problem(text: "its description of \(size) bytes does not fit in the file")
    }
    guard let members = JSONValue.members(of: Array(text)) else {
      throw Problem(text: "its description is not a JSON object")
    }
    (metadata, contents) = try Self.description(members)
    position = cursor.position
    check = SelectionCheck(metadata)
  }

  private static func description(
    _ members: [String: JSONValue]
  ) throws(Problem) -> (RoutingTraceMetadata, RoutingTraceContents) {
    var members = members
    let key = RoutingTraceMetadata.Key.contents
    guard let names = members.removeValue(forKey: key)?.asArray else {
      throw Problem(text: "its description has no list '\(key)'")
    }
    var contents = RoutingTraceContents()
    for name in names {
      guard let entry = RoutingTraceContents.names.first(where: { $0.name == name.asString }) else {
        throw Problem(text: "it holds \(name.text), which this program does not know")
      }
      contents[keyPath: entry.path] = true
    }
    do throws(MetadataProblem) {
      return (try RoutingTraceMetadata(members: members), contents)
    } catch {
      throw Problem(text: "its description is wrong: \(error.text)")
    }
  }

  private mutating func readBlocks() throws(Problem) {
    var cursor = ByteCursor(bytes: bytes, position: position)
    while true {
      let start = cursor.position
      switch cursor.integer(UInt8.self) {
      case RoutingTraceFormat.Block.sequence: try readSequence(&cursor)
      case RoutingTraceFormat.Block.pass: try readPass(&cursor)
      case RoutingTraceFormat.Block.end: return try readEnd(&cursor)
      case nil:
        throw Problem(
          text: "it ends after \(tokenCount) tokens without its end mark: its recording was not "
            + "finished, or the file was cut")
      case let kind?:
        throw Problem(text: "it is damaged: byte \(start) cannot be \(kind)")
      }
    }
  }

  private mutating func readSequence(_ cursor: inout ByteCursor) throws(Problem) {
    guard let size = cursor.integer(UInt16.self), let text = cursor.take(Int(size)) else {
      throw Problem(text: "it ends in the label of sequence \(labels.count)")
    }
    guard let label = String(validating: text, as: UTF8.self) else {
      throw Problem(text: "the label of sequence \(labels.count) is not UTF-8")
    }
    guard sequenceStarts.last != tokenCount else {
      throw Problem(text: "sequence \(labels.count - 1) has no tokens")
    }
    sequenceStarts.append(tokenCount)
    labels.append(label)
  }

  private mutating func readPass(_ cursor: inout ByteCursor) throws(Problem) {
    guard !sequenceStarts.isEmpty else {
      throw Problem(text: "its first tokens belong to no sequence")
    }
    guard let code = cursor.integer(UInt8.self), let count32 = cursor.integer(UInt32.self) else {
      throw Problem(text: "it ends in a pass after token \(tokenCount)")
    }
    let count = Int(count32)
    let recordByteCount = RoutingTraceFormat.recordByteCount(metadata, contents)
    let (product, overflow) = (recordByteCount * metadata.layers.count)
      .addingReportingOverflow(contents.tokenIDs ? 4 : 0)
    let (size, overflow2) = product.multipliedReportingOverflow(by: count)
    guard count > 0, !overflow, !overflow2, size <= cursor.remainingByteCount else {
      throw Problem(
        text:
          "after token \(tokenCount) come \(cursor.remainingByteCount) bytes, which is not what "
          + "the \(count) tokens of a pass take")
    }
    switch code {
    case RoutingTraceFormat.code(of: .prefill):
      phases?.append(contentsOf: repeatElement(.prefill, count: count))
    case RoutingTraceFormat.code(of: .decode):
      phases?.append(contentsOf: repeatElement(.decode, count: count))
    case RoutingTraceFormat.code(of: nil): phases = nil
    default: throw Problem(text: "the phase of token \(tokenCount) cannot be \(code)")
    }
    passStarts.append(tokenCount)
    if contents.tokenIDs {
      for _ in 0..<count { tokenIDs.append(cursor.integer(Int32.self) ?? -1) }
      guard tokenIDs.suffix(count).allSatisfy({ $0 >= 0 }) else {
        throw Problem(text: "a token from number \(tokenCount) on is below 0 in the vocabulary")
      }
    }
    try readRecords(count, &cursor)
    tokenCount += count
  }

  /// The records of a pass come layer by layer; they are kept token by token.
  private mutating func readRecords(
    _ count: Int, _ cursor: inout ByteCursor
  ) throws(Problem) {
    let (layerCount, rankCount) = (metadata.layers.count, metadata.expertsPerToken)
    let isShort = RoutingTraceFormat.isShort(metadata, contents)
    experts.append(contentsOf: repeatElement(0, count: count * layerCount * rankCount))
    if contents.weights {
      weights.append(contentsOf: repeatElement(0, count: count * layerCount * rankCount))
    }
    if contents.logits {
      logits.append(contentsOf: repeatElement(0, count: count * layerCount * metadata.expertCount))
    }
    for layer in 0..<layerCount {
      for token in tokenCount..<tokenCount + count {
        let first = (token * layerCount + layer) * rankCount
        for index in first..<first + rankCount {
          let number =
            isShort
            ? Int32(cursor.integer(UInt8.self) ?? 0) : Int32(cursor.integer(UInt16.self) ?? 0)
          let isEmpty =
            contents.emptySlots && number == (isShort ? Int32(UInt8.max) : Int32(UInt16.max))
          experts[index] = isEmpty ? RoutingTrace.noExpert : number
        }
        if contents.weights {
          for index in first..<first + rankCount {
            weights[index] = Float(Float16(bitPattern: cursor.integer(UInt16.self) ?? 0))
          }
        }
        if contents.logits {
          let first = (token * layerCount + layer) * metadata.expertCount
          for index in first..<first + metadata.expertCount {
            logits[index] = Float(bitPattern: cursor.integer(UInt32.self) ?? 0)
          }
        }
      }
    }
    for token in tokenCount..<tokenCount + count {
      for layer in 0..<layerCount {
        if let problem = check.problem(
          token: token, layer: layer, experts: experts, weights: weights, logits: logits)
        {
          throw Problem(text: problem)
        }
      }
    }
  }

  private mutating func readEnd(_ cursor: inout ByteCursor) throws(Problem) {
    guard let count = cursor.integer(UInt64.self), let hash = cursor.integer(UInt64.self) else {
      throw Problem(text: "it ends in its end mark")
    }
    let summed = cursor.position
    guard let checksum = cursor.integer(UInt32.self), cursor.remainingByteCount == 0 else {
      throw Problem(text: "its end mark is not where the file ends")
    }
    guard checksum == CRC32(bytes[..<summed]).value else {
      throw Problem(text: "it is damaged: its checksum does not match")
    }
    guard count == tokenCount else {
      throw Problem(text: "it has \(tokenCount) tokens, but should have \(count)")
    }
    guard tokenCount > 0 else { throw Problem(text: "it has no tokens") }
    guard sequenceStarts.last != tokenCount else {
      throw Problem(text: "sequence \(labels.count - 1) has no tokens")
    }
    promptHash = hash
  }

  private func makeTrace() -> RoutingTrace {
    var metadata = metadata
    metadata.promptHash = promptHash == 0 ? nil : promptHash
    var trace = RoutingTrace(
      metadata: metadata, experts: experts, sequenceStarts: sequenceStarts)
    trace.weights = contents.weights ? weights : nil
    trace.logits = contents.logits ? logits : nil
    trace.tokenIDs = contents.tokenIDs ? tokenIDs : nil
    trace.phases = phases
    trace.labels = labels.allSatisfy(\.isEmpty) ? nil : labels
    trace.passStarts = contents.passes ? passStarts : nil
    return trace
  }
}

/// Little-endian numbers from bytes, as far as there are any.
struct ByteCursor {
  let bytes: [UInt8]
  private(set) var position: Int

  init(bytes: [UInt8], position: Int = 0) {
    self.bytes = bytes
    self.position = position
  }

  var remainingByteCount: Int { bytes.count - position }

  /// Nil, with nothing taken, where not enough bytes are left.
  mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) -> Value? {
    let size = MemoryLayout<Value>.size
    guard size <= remainingByteCount else { return nil }
    defer { position += size }
    return unsafe bytes.withUnsafeBytes {
      unsafe Value(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Value.self))
    }
  }

  mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, count <= remainingByteCount else { return nil }
    defer { position += count }
    return bytes[position..<position + count]
  }
}
