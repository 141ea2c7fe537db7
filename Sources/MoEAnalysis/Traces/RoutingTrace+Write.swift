package import MoECore

extension RoutingTrace {
  /// Writes a `.moetrace` file.
  func writeStream(to path: String) throws(RoutingTraceWriteError) {
    var contents = RoutingTraceContents()
    contents.weights = weights != nil
    contents.logits = logits != nil
    contents.tokenIDs = tokenIDs != nil
    contents.passes = passStarts != nil
    contents.emptySlots = hasEmptySlots
    let writer = try RoutingTraceWriter(path: path, metadata: metadata, contents: contents)
    var sequence = 0
    for pass in passes {
      if sequence < sequenceStarts.count && sequenceStarts[sequence] == pass.lowerBound {
        writer.beginSequence(label: labels?[sequence] ?? "")
        sequence += 1
      }
      writer.beginPass(tokenCount: pass.count, phase: phases?[pass.lowerBound])
      if let tokenIDs { for token in pass { writer.add(token: tokenIDs[token]) } }
      for layer in 0..<layerCount {
        for token in pass {
          let first = (token * layerCount + layer) * expertsPerToken
          writer.addSelection(
            count: selection(token: token, layer: layer).count,
            expert: { Int(experts[first + $0]) }, weight: { weights?[first + $0] ?? 0 },
            logit: { logits?[(token * layerCount + layer) * expertCount + $0] ?? 0 })
        }
      }
      writer.endPass()
    }
    try writer.finish()
  }

  /// The bytes of an `.npz` archive. `name` is what errors call it.
  func archive(name: String) throws(RoutingTraceWriteError) -> [UInt8] {
    guard expertCount <= Int(Int16.max) + 1 else {
      throw RoutingTraceWriteError(
        path: name, reason: "an .npz trace holds experts up to number \(Int16.max) only")
    }
    let members = archiveMembers
    try Self.checkArchive(byteCounts: members.map(\.byteCount), name: name)
    var zip = ZipWriter()
    for member in members {
      zip.add(
        member.name + ".npy",
        NumpyWriter.bytes(type: member.type, shape: member.shape, elements: member.elements()))
    }
    return zip.bytes()
  }

  /// One array of an archive; its bytes are made when they are asked for.
  private struct ArchiveMember {
    let name: String
    let type: String
    let shape: [Int]
    let elements: () -> [UInt8]

    /// Types end in the bytes of an element.
    var byteCount: Int {
      let width = type.last?.wholeNumberValue ?? 0
      return shape.reduce(width, *)
    }
  }

  private var archiveMembers: [ArchiveMember] {
    var members: [ArchiveMember] = []
    func add(_ name: String, _ type: String, _ shape: [Int], _ elements: @escaping () -> [UInt8]) {
      members.append(ArchiveMember(name: name, type: type, shape: shape, elements: elements))
    }
    let shape = [tokenCount, layerCount, expertsPerToken]
    add(ArrayName.experts, "<i2", shape) {
      Self.bytes(experts) { Int16(truncatingIfNeeded: $0) }
    }
    if let weights {
      add(ArrayName.weights, "<f2", shape) { Self.bytes(weights) { Float16($0).bitPattern } }
    }
    add(ArrayName.sequenceStarts, "<i4", [sequenceStarts.count]) {
      Self.bytes(sequenceStarts) { Int32($0) }
    }
    if let tokenIDs {
      add(ArrayName.tokenIDs, "<i4", [tokenCount]) { Self.bytes(tokenIDs) { $0 } }
    }
    if let phases {
      add(ArrayName.phases, "|u1", [tokenCount]) { phases.map { $0 == .prefill ? 0 : 1 } }
    }
    if let passStarts {
      add(ArrayName.passStarts, "<i4", [passStarts.count]) {
        Self.bytes(passStarts) { Int32($0) }
      }
    }
    if let logits {
      add(ArrayName.logits, "<f4", [tokenCount, layerCount, expertCount]) {
        Self.bytes(logits) { $0.bitPattern }
      }
    }
    return members
  }

  /// Refuses an archive that would be too large before any of it is made.
  package static func checkArchive(
    byteCounts: [Int], name: String
  ) throws(RoutingTraceWriteError) {
    let total = byteCounts.reduce(0) { sum, byteCount in
      let (total, isTooLarge) = sum.addingReportingOverflow(byteCount)
      return isTooLarge ? Int.max : total
    }
    guard total <= ZipWriter.byteCountMax else {
      throw RoutingTraceWriteError(
        path: name,
        reason: "its arrays have \(ByteSize(total)), and an .npz archive holds less than 4 GiB; "
          + "write it as a .moetrace file, or in parts")
    }
  }

  /// The JSON object beside an archive, in the keys of other recorders, too.
  func sidecarMembers(name: String) -> [String: JSONValue] {
    var members = metadata.members
    members[SidecarKey.name] = .string(name)
    members[SidecarKey.tokenCount] = .integer(tokenCount)
    members[SidecarKey.sequenceCount] = .integer(sequenceStarts.count)
    if let phases {
      let isMixed = Set(phases).count > 1
      members[SidecarKey.phase] = .string(
        isMixed ? "mixed" : phases[0] == .prefill ? "prefill" : "decode")
    }
    members[SidecarKey.labels] = labels.map { .array($0.map { .string($0) }) }
    return members
  }

  private static func bytes<Value, Number: FixedWidthInteger>(
    _ values: [Value], _ number: (Value) -> Number
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(values.count * MemoryLayout<Number>.size)
    for value in values { bytes.append(littleEndian: number(value)) }
    return bytes
  }
}
