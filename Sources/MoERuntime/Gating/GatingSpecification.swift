import MoEModel

/// What changes which experts tokens take: quality for speed, off by default.
///
/// Written as a name and parameters, `top-p:0.8`; `Engine.gatings` lists the names.
public struct GatingSpecification: Sendable, Equatable, CustomStringConvertible {
  /// The text that it was made from.
  public let description: String

  /// The model as it is.
  public static let off = GatingSpecification(checked: GatingRegistry.off)

  /// Throws `EngineError.gating` where no kind of gating is written so. Whether it suits a model
  /// is found out when it is used.
  public init(parsing text: String) throws(EngineError) {
    try Self.reporting { () throws(GatingError) in _ = try GatingRegistry.parse(text) }
    description = text
  }

  private init(checked text: String) { description = text }

  public var isOff: Bool { self == .off }

  /// Nil for `off`.
  func make(for shape: GatingShape) throws(EngineError) -> (any Gating)? {
    try Self.reporting { () throws(GatingError) in
      try GatingRegistry.parse(description)?(shape)
    }
  }

  private static func reporting<Value>(
    _ body: () throws(GatingError) -> Value
  ) throws(EngineError) -> Value {
    do throws(GatingError) {
      return try body()
    } catch {
      throw .gating(error.description)
    }
  }
}

/// How a gating was used in a run.
public struct GatingStatistics: Sendable, Codable, Equatable {
  /// As of `GatingSpecification`.
  public var gating: String
  /// Experts that a token took in a layer, in the mean; nil where no token was routed.
  public var prefillExpertsPerToken: Double?
  public var decodeExpertsPerToken: Double?
}

extension Engine {
  /// The names of gatings, how they are written with their parameters, and one-line descriptions.
  public static var gatings: [(name: String, usage: String, summary: String)] {
    [(GatingRegistry.off, GatingRegistry.off, "The model as it is.")]
      + GatingRegistry.all.map { ($0.name, $0.usage, $0.summary) }
  }

  /// Throws `EngineError.gating` where a gating does not suit the model.
  public func check(_ gating: GatingSpecification) async throws(EngineError) {
    try await request { core, _ in _ = try core.makeGating(gating) }
  }
}

extension EngineCore {
  func makeGating(_ specification: GatingSpecification) throws(EngineError) -> (any Gating)? {
    try specification.make(
      for: GatingShape(
        header.description, hasLowCopies: header.tensors.lowExperts != nil))
  }
}
