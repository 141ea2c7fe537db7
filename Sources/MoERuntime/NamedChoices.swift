import MoECache
import MoEStore

/// An entry of a registry, by its name. Only names that are there make one.
public protocol NamedChoice: RawRepresentable<String>, Hashable, Sendable, Codable, CaseIterable,
  CustomStringConvertible
{
  /// One line that says what it does.
  var summary: String { get }
}

extension NamedChoice {
  public var description: String { rawValue }
}

/// How the expert cache chooses whom to evict.
public struct CachePolicy: NamedChoice {
  public static let allCases = PolicyRegistry.all.map(Self.init)
  /// The best of them on recorded traces.
  public static let standard = Self(PolicyRegistry.defaultEntry)

  let entry: PolicyEntry

  init(_ entry: PolicyEntry) { self.entry = entry }

  public init?(rawValue: String) {
    guard let entry = PolicyRegistry.entry(named: rawValue) else { return nil }
    self.init(entry)
  }

  public var rawValue: String { entry.name }
  public var summary: String { entry.summary }
}

/// Who guesses which experts the next layer will take, so that they can be prefetched.
public struct Predictor: NamedChoice {
  public static let allCases = PredictorRegistry.all.map(Self.init)
  public static let standard = Self(PredictorRegistry.defaultEntry)
  /// Nobody: all slots cache experts.
  public static let off = Self(PredictorRegistry.off)

  let entry: PredictorEntry

  init(_ entry: PredictorEntry) { self.entry = entry }

  public init?(rawValue: String) {
    guard let entry = PredictorRegistry.entry(named: rawValue) else { return nil }
    self.init(entry)
  }

  public var rawValue: String { entry.name }
  public var summary: String { entry.summary }
}

/// How weights are read from disk.
public struct Store: NamedChoice {
  public static let allCases = [automatic] + BackendRegistry.all.map { Self(entry: $0) }
  /// The best of the others that works here.
  public static let automatic = Self(entry: nil)
  public static let ring = Self(entry: BackendRegistry.ring)
  public static let pread = Self(entry: BackendRegistry.pread)
  public static let buffered = Self(entry: BackendRegistry.buffered)
  public static let memory = Self(entry: BackendRegistry.memory)

  /// Nil: automatic.
  let entry: BackendEntry?

  private init(entry: BackendEntry?) { self.entry = entry }

  public init?(rawValue: String) {
    guard let choice = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = choice
  }

  var backend: BackendChoice { entry.map { .named($0.name) } ?? .automatic }

  public var rawValue: String { entry?.name ?? "auto" }
  public var summary: String { entry?.summary ?? "The best of the others that works here." }
}
