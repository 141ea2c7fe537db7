/// What a routing trace says of itself beside its numbers: the header of a `.moetrace` file, and
/// the JSON file beside an `.npz`. `Traces/README.md` lists the keys.
package struct RoutingTraceMetadata: Sendable, Equatable {
  /// What the model calls itself; empty where nobody says.
  package var model = ""
  /// Tells models apart by their routers' weights, whatever format the experts are in. Nil:
  /// unknown.
  package var modelHash: String?
  /// The formats of the experts' weights, or whatever else the recorder said of precision.
  package var quantization = ""
  /// Experts of each layer.
  package var expertCount: Int
  /// Experts that a token takes in each layer.
  package var expertsPerToken: Int
  /// How many the model was made for, where the run took another number.
  package var nativeExpertsPerToken: Int?
  /// (layer of the trace): its number among the model's blocks, ascending.
  package var layers: [Int]
  /// FNV-1a over the tokens that were given, sequence by sequence. Nil: unknown.
  package var promptHash: UInt64?
  /// Further members of the JSON object, by key.
  package var others: [String: JSONValue] = [:]

  package init(expertCount: Int, expertsPerToken: Int, layers: [Int]) {
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.layers = layers
  }

  /// Keys that have properties of their own.
  package enum Key {
    package static let model = "model"
    package static let modelHash = "model_hash"
    package static let quantization = "precision"
    package static let expertCount = "experts"
    package static let expertsPerToken = "k"
    package static let nativeExpertsPerToken = "native_k"
    package static let layers = "layers_logged"
    package static let promptHash = "prompt_hash"
    /// Which optional values follow, in a `.moetrace` file.
    package static let contents = "holds"
  }

  /// The JSON object's members.
  package var members: [String: JSONValue] {
    var members = others
    members[Key.model] = .string(model)
    members[Key.modelHash] = modelHash.map { .string($0) }
    members[Key.quantization] = .string(quantization)
    members[Key.expertCount] = .integer(expertCount)
    members[Key.expertsPerToken] = .integer(expertsPerToken)
    members[Key.nativeExpertsPerToken] = nativeExpertsPerToken.map { .integer($0) }
    members[Key.layers] = .array(layers.map { .integer($0) })
    members[Key.promptHash] = promptHash.map { .string(FNV1a.text($0)) }
    return members
  }
}

/// What a `.moetrace` file has beside the chosen experts.
package struct RoutingTraceContents: Sendable, Equatable {
  /// The weight of each chosen expert.
  package var weights = false
  /// The router's logits for all experts.
  package var logits = false
  package var tokenIDs = false
  /// Whether passes are those of the recorded run; else they are cut as it suited the writer.
  package var passes = false
  /// Whether tokens may take fewer experts than there is room for.
  package var emptySlots = false

  package init() {}

  package static let names: [(name: String, path: any WritableKeyPath<Self, Bool> & Sendable)] = [
    ("weights", \.weights), ("logits", \.logits), ("token_ids", \.tokenIDs), ("passes", \.passes),
    ("empty_slots", \.emptySlots),
  ]
}

/// The figures of the `.moetrace` format that its reader and its writer share.
package enum RoutingTraceFormat {
  package static let magic = Array("MOETRACE".utf8)
  package static let version: UInt32 = 1
  /// A header's JSON has at most as many bytes.
  package static let headerByteCountMax = 1 << 20
  /// Experts up to this many are numbered by one byte, more of them by two; the number with all
  /// bits set is none of them where slots may be empty, and stands in these.
  package static let shortExpertCount = 256
  package static let expertCountMax = 1 << 16
  package static let layerCountMax = 1 << 12

  /// First byte of a block.
  package enum Block {
    package static let pass: UInt8 = 1
    package static let sequence: UInt8 = 2
    package static let end: UInt8 = 3
  }

  /// Second byte of a pass.
  package static func code(of phase: InferencePhase?) -> UInt8 {
    switch phase {
    case .prefill: 0
    case .decode: 1
    case nil: 255
    }
  }

  /// Whether one byte is enough for an expert's number.
  package static func isShort(
    _ metadata: RoutingTraceMetadata, _ contents: RoutingTraceContents
  ) -> Bool {
    metadata.expertCount + (contents.emptySlots ? 1 : 0) <= shortExpertCount
  }

  /// Bytes of one token's selection in one layer.
  package static func recordByteCount(
    _ metadata: RoutingTraceMetadata, _ contents: RoutingTraceContents
  ) -> Int {
    let expertByteCount = isShort(metadata, contents) ? 1 : 2
    return metadata.expertsPerToken * (expertByteCount + (contents.weights ? 2 : 0))
      + (contents.logits ? 4 * metadata.expertCount : 0)
  }
}
