import MoECore

/// What is wrong with a description, as the end of a sentence.
struct MetadataProblem: Error {
  let text: String
}

extension RoutingTraceMetadata {
  /// Reads a JSON object's members, which are untrusted.
  init(members: [String: JSONValue]) throws(MetadataProblem) {
    func count(_ key: String, in range: ClosedRange<Int>) throws(MetadataProblem) -> Int {
      guard let value = members[key]?.asInteger, range.contains(value) else {
        throw MetadataProblem(
          text: "'\(key)' must be a whole number from \(range.lowerBound) to \(range.upperBound), "
            + "but is \(members[key]?.text.prefix(40) ?? "missing")")
      }
      return value
    }
    let experts = try count(Key.expertCount, in: 1...RoutingTraceFormat.expertCountMax)
    let perToken = try count(Key.expertsPerToken, in: 1...experts)
    let layers = (members[Key.layers]?.asArray ?? []).compactMap(\.asInteger)
    guard !layers.isEmpty, layers.count == members[Key.layers]?.asArray?.count,
      layers.count <= RoutingTraceFormat.layerCountMax, layers[0] >= 0,
      zip(layers, layers.dropFirst()).allSatisfy({ $0 < $1 })
    else {
      throw MetadataProblem(
        text: "'\(Key.layers)' must be ascending numbers of 1 to "
          + "\(RoutingTraceFormat.layerCountMax) layers")
    }
    self.init(expertCount: experts, expertsPerToken: perToken, layers: layers)
    var others = members
    func text(_ key: String) throws(MetadataProblem) -> String? {
      guard let value = others.removeValue(forKey: key), value != .null else { return nil }
      guard let text = value.asString else {
        throw MetadataProblem(text: "'\(key)' must be a text")
      }
      return text
    }
    model = try text(Key.model) ?? ""
    modelHash = try text(Key.modelHash)
    quantization = try text(Key.quantization) ?? ""
    if members[Key.nativeExpertsPerToken] != nil {
      nativeExpertsPerToken = try count(
        Key.nativeExpertsPerToken, in: 1...RoutingTraceFormat.expertCountMax)
    }
    if let digits = try text(Key.promptHash) {
      guard let hash = UInt64(digits, radix: 16) else {
        throw MetadataProblem(text: "'\(Key.promptHash)' must be hexadecimal digits")
      }
      promptHash = hash
    }
    for key in [
      Key.expertCount, Key.expertsPerToken, Key.nativeExpertsPerToken, Key.layers, Key.contents,
    ] { others[key] = nil }
    self.others = others
  }
}
