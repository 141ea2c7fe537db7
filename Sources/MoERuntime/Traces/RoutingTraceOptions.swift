/// Where the routing of a run is recorded, and how much of it.
///
/// The file is in the `.moetrace` format of `Traces/README.md`: for each token and layer the chosen
/// experts, best first, and their weights. Recording changes no result and takes no more memory as
/// it goes on.
public struct RoutingTraceOptions: Sendable {
  /// The file; one that is there is replaced once the recording is complete.
  public var path: String
  /// Keep the router's logits for all experts, too: four bytes for each expert, layer and token.
  public var includesLogits = false
  /// What a generation's sequence is called in the trace.
  public var label = "generated"

  public init(path: String) { self.path = path }
}

/// A text whose routing is to be recorded, as tokens.
public struct RoutingText: Sendable {
  /// What its sequences are called in the trace: a domain, or the name of a file.
  public var label: String
  public var tokens: [Int32]

  public init(label: String, tokens: [Int32]) {
    self.label = label
    self.tokens = tokens
  }
}

/// What was recorded.
public struct RecordedRouting: Sendable, Codable, Equatable {
  public var tokenCount: Int
  public var sequenceCount: Int
  /// Size of the file.
  public var byteCount: Int
  public var seconds: Double
}
