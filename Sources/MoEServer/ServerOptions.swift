public import MoERuntime

/// Where and how a server serves.
public struct ServerOptions: Sendable {
  /// The address that is listened at. Loopback: only this machine.
  public var host = "127.0.0.1"
  /// 0: one that is free.
  public var port = 8080
  /// Keys of which a request must have one; none: everybody is let in.
  public var apiKeys: [String] = []
  /// Origins of pages that browsers may let use the server, such as `https://example.org`; `*`:
  /// all. The server's own page needs none.
  public var corsOrigins: [String] = []
  /// Files in PEM for TLS: the certificate with those that vouch for it, and its key. Nil: plain
  /// HTTP.
  public var tlsCertificatePath: String?
  public var tlsKeyPath: String?
  /// The size of a request's body.
  public var bodyByteCountMax = 32 << 20
  /// Connections at the same time; more wait to be accepted.
  public var connectionCountMax = 1024
  /// What requests that are running may take to finish once the server is to end.
  public var drainSeconds = 30.0
  /// What a client may take to read what was written for it, and to send what it has begun.
  public var clientStallSeconds = 60
  /// The name that answers have for the model. Nil: the one in its file.
  public var modelName: String?
  /// Whether a stream has a comment each second while its prompt is read.
  public var keepAliveComments = true
  /// Whether the log shows what requests say. Off: it shows no text of theirs.
  public var accessLogsPrompts = false
  /// How tokens are drawn where a request does not say.
  public var sampling = SamplingOptions()
  /// What the engine runs at the same time (`EngineOptions.parallelRequestCount`), as `/slots`
  /// tells.
  public var slotCount = 1
  /// Whether requests go on from what others with the same beginning have left
  /// (`GenerationOptions.keepsState`).
  public var keepsState = true

  public init() {}
}

/// Why a server could not serve: one sentence that says what is wrong, and what to do.
public enum ServerError: Error, Sendable, CustomStringConvertible {
  /// The address can't be listened at.
  case cannotListen(host: String, port: Int, reason: String)
  /// A file for TLS is none, or one of the two is missing.
  case tls(String)
  case invalidOption(name: String, wanted: String, found: String)

  public var description: String {
    switch self {
    case .cannotListen(let host, let port, let reason):
      "\(host):\(port) can't be listened at: \(reason); choose another port or address"
    case .tls(let text): text
    case .invalidOption(let name, let wanted, let found):
      "\(name) must be \(wanted), but is \(found)"
    }
  }
}

extension ServerOptions {
  /// Refuses values that no server can have.
  func check() throws(ServerError) {
    func require(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(ServerError) {
      guard range.contains(value) else {
        throw .invalidOption(
          name: name, wanted: "from \(range.lowerBound) to \(range.upperBound)", found: "\(value)")
      }
    }
    try require("the port", port, 0...65_535)
    try require("the size of a body", bodyByteCountMax, 1...1 << 30)
    try require("the count of connections", connectionCountMax, 1...1 << 16)
    try require("the time a client may take", clientStallSeconds, 1...86_400)
    try require("the count of slots", slotCount, 1...256)
    guard drainSeconds >= 0, drainSeconds <= 86_400 else {
      throw .invalidOption(
        name: "the time to finish", wanted: "from 0 to 86400", found: "\(drainSeconds)")
    }
    guard (tlsCertificatePath == nil) == (tlsKeyPath == nil) else {
      throw .tls("TLS needs both a certificate and its key; give the file that is missing")
    }
  }
}
