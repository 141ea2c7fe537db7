package import MoECore

/// The `.npz` layout: a NumPy archive, and beside it a JSON file that says what it is of.
extension RoutingTrace {
  /// Arrays of the archive.
  enum ArrayName {
    static let experts = "experts"
    static let weights = "weights"
    static let sequenceStarts = "sequence_start"
    static let tokenIDs = "tokens"
    static let phases = "phase"
    static let passStarts = "pass_start"
    static let logits = "logits"
  }

  /// Keys of the JSON file that are about the archive as a whole.
  enum SidecarKey {
    static let name = "name"
    static let tokenCount = "tokens"
    static let sequenceCount = "sequences"
    static let phase = "phase"
    static let labels = "labels"
  }

  /// Reads an archive's bytes; they are untrusted. `name` is what errors call it.
  ///
  /// - Parameter sidecar: The members of the JSON file beside it, where there is one.
  package init(
    archive: [UInt8], name: String, sidecar: [String: JSONValue]? = nil
  ) throws(RoutingTraceError) {
    do throws(ZipArchive.Problem) {
      let zip = try ZipArchive(archive)
      let (experts, metadata) = try Self.experts(in: zip, sidecar: sidecar)
      let tokenCount = experts.count / (metadata.layers.count * metadata.expertsPerToken)
      let starts =
        try Self.starts(ArrayName.sequenceStarts, in: zip, tokenCount: tokenCount) ?? [0]
      self.init(metadata: metadata, experts: experts, sequenceStarts: starts)
      weights = try Self.floats(
        ArrayName.weights, in: zip, shape: [tokenCount, layerCount, expertsPerToken])
      logits = try Self.floats(
        ArrayName.logits, in: zip, shape: [tokenCount, layerCount, expertCount])
      tokenIDs = try Self.integers(ArrayName.tokenIDs, in: zip, count: tokenCount)
      if tokenIDs?.contains(where: { $0 < 0 }) == true {
        throw ZipArchive.Problem(text: "'tokens' has a number below 0")
      }
      phases = try Self.phases(in: zip, sidecar: sidecar, tokenCount: tokenCount)
      passStarts = try Self.starts(ArrayName.passStarts, in: zip, tokenCount: tokenCount)
      labels = try Self.labels(sidecar, count: starts.count)
      try checkSelections()
      try checkPasses()
    } catch {
      throw RoutingTraceError(name: name, problem: error.text)
    }
  }

  private static func experts(
    in zip: ZipArchive, sidecar: [String: JSONValue]?
  ) throws(ZipArchive.Problem) -> (experts: [Int32], RoutingTraceMetadata) {
    guard let array = try array(ArrayName.experts, in: zip) else {
      throw ZipArchive.Problem(text: "it has no array 'experts'")
    }
    guard array.shape.count == 3, array.shape.allSatisfy({ $0 > 0 }) else {
      throw ZipArchive.Problem(
        text: "'experts' must have the shape (tokens, layers, experts per token), none of them 0")
    }
    let (layerCount, expertsPerToken) = (array.shape[1], array.shape[2])
    let experts = try array.integers()
    let largest = Int(experts.max() ?? 0)
    guard largest >= 0, experts.allSatisfy({ $0 >= noExpert }),
      largest < RoutingTraceFormat.expertCountMax
    else {
      throw ZipArchive.Problem(
        text: "'experts' names an expert below 0, other than -1 for none, or above 65535")
    }
    guard layerCount <= RoutingTraceFormat.layerCountMax else {
      throw ZipArchive.Problem(
        text: "'experts' has \(layerCount) layers; at most \(RoutingTraceFormat.layerCountMax) are "
          + "read")
    }
    guard let sidecar else {
      let metadata = RoutingTraceMetadata(
        expertCount: largest + 1, expertsPerToken: expertsPerToken, layers: Array(0..<layerCount))
      return (experts, metadata)
    }
    let metadata = try metadata(
      sidecar,
      counts: [
        (SidecarKey.tokenCount, array.shape[0]),
        (RoutingTraceMetadata.Key.expertsPerToken, expertsPerToken),
      ])
    guard metadata.layers.count == layerCount else {
      throw ZipArchive.Problem(
        text: "it has \(layerCount) layers, but the JSON file beside it \(metadata.layers.count)")
    }
    return (experts, metadata)
  }

  /// - Parameter counts: What the archive has, by the keys of the file beside it.
  private static func metadata(
    _ sidecar: [String: JSONValue], counts: [(key: String, found: Int)]
  ) throws(ZipArchive.Problem) -> RoutingTraceMetadata {
    for (key, found) in counts {
      if let stated = sidecar[key], stated != .integer(found) {
        throw ZipArchive.Problem(
          text: "the JSON file beside it says '\(key)' is \(stated.text.prefix(40)), but it is "
            + "\(found)")
      }
    }
    do throws(MetadataProblem) {
      var metadata = try RoutingTraceMetadata(members: sidecar)
      // Made anew from the trace where it is written.
      for key in [
        SidecarKey.name, SidecarKey.tokenCount, SidecarKey.sequenceCount, SidecarKey.phase,
        SidecarKey.labels,
      ] { metadata.others[key] = nil }
      return metadata
    } catch {
      throw ZipArchive.Problem(text: "in the JSON file beside it \(error.text)")
    }
  }

  private static func array(
    _ name: String, in zip: ZipArchive
  ) throws(ZipArchive.Problem) -> NumpyArray? {
    guard let member = try zip.contents(of: name + ".npy", limit: byteCountMax) else { return nil }
    return try naming(name) { () throws(ZipArchive.Problem) in try NumpyArray(member) }
  }

  /// Says of which array a problem is.
  private static func naming<Value>(
    _ name: String, _ body: () throws(ZipArchive.Problem) -> Value
  ) throws(ZipArchive.Problem) -> Value {
    do throws(ZipArchive.Problem) {
      return try body()
    } catch {
      throw ZipArchive.Problem(text: "of '\(name)': \(error.text)")
    }
  }

  private static func floats(
    _ name: String, in zip: ZipArchive, shape: [Int]
  ) throws(ZipArchive.Problem) -> [Float]? {
    guard let array = try array(name, in: zip) else { return nil }
    guard array.shape == shape else {
      throw ZipArchive.Problem(text: "'\(name)' has the shape \(array.shape) instead of \(shape)")
    }
    return try naming(name) { () throws(ZipArchive.Problem) in try array.floats() }
  }

  private static func integers(
    _ name: String, in zip: ZipArchive, count: Int
  ) throws(ZipArchive.Problem) -> [Int32]? {
    guard let array = try array(name, in: zip) else { return nil }
    guard array.shape == [count] else {
      throw ZipArchive.Problem(text: "'\(name)' has the shape \(array.shape) instead of [\(count)]")
    }
    return try naming(name) { () throws(ZipArchive.Problem) in try array.integers() }
  }

  /// First tokens of sequences or passes.
  private static func starts(
    _ name: String, in zip: ZipArchive, tokenCount: Int
  ) throws(ZipArchive.Problem) -> [Int]? {
    guard let array = try array(name, in: zip) else { return nil }
    let starts = try naming(name) { () throws(ZipArchive.Problem) in
      try array.integers().map(Int.init)
    }
    guard array.shape.count == 1, starts.first == 0,
      Swift.zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }), starts.last ?? 0 < tokenCount
    else {
      throw ZipArchive.Problem(
        text: "'\(name)' must ascend from 0 and stay below the \(tokenCount) tokens")
    }
    return starts
  }

  private static func phases(
    in zip: ZipArchive, sidecar: [String: JSONValue]?, tokenCount: Int
  ) throws(ZipArchive.Problem) -> [InferencePhase]? {
    if let codes = try integers(ArrayName.phases, in: zip, count: tokenCount) {
      guard codes.allSatisfy({ $0 == 0 || $0 == 1 }) else {
        throw ZipArchive.Problem(text: "'phase' must be 0 for prefill or 1 for decode")
      }
      return codes.map { $0 == 0 ? .prefill : .decode }
    }
    switch sidecar?[SidecarKey.phase]?.asString {
    case "prefill": return Array(repeating: .prefill, count: tokenCount)
    case "decode": return Array(repeating: .decode, count: tokenCount)
    default: return nil
    }
  }

  private static func labels(
    _ sidecar: [String: JSONValue]?, count: Int
  ) throws(ZipArchive.Problem) -> [String]? {
    guard let value = sidecar?[SidecarKey.labels] else { return nil }
    let labels = (value.asArray ?? []).compactMap(\.asString)
    guard labels.count == count, value.asArray?.count == count else {
      throw ZipArchive.Problem(
        text: "the JSON file beside it must have one text in 'labels' for each of the \(count) "
          + "sequences")
    }
    return labels
  }

  private func checkSelections() throws(ZipArchive.Problem) {
    var check = SelectionCheck(metadata)
    for token in 0..<tokenCount {
      for layer in 0..<layerCount {
        if let problem = check.problem(
          token: token, layer: layer, experts: experts, weights: weights ?? [],
          logits: logits ?? [])
        {
          throw ZipArchive.Problem(text: problem)
        }
      }
    }
  }

  /// A pass is of one sequence and one phase.
  private func checkPasses() throws(ZipArchive.Problem) {
    guard let passStarts else { return }
    let isStart = Set(passStarts)
    guard sequenceStarts.allSatisfy(isStart.contains) else {
      throw ZipArchive.Problem(text: "'pass_start' must name the first token of every sequence")
    }
    guard let phases else { return }
    for token in 1..<max(1, tokenCount)
    where phases[token] != phases[token - 1] && !isStart.contains(token) {
      throw ZipArchive.Problem(text: "the phase changes at token \(token), within a pass")
    }
  }
}
