#if TLS
  private import MoEPlatform

  /// Where a hub is, who asks it, and where its models are kept: what the hub's own programs take
  /// from the environment.
  package struct HubSettings: Sendable {
    package let endpoint: HubAddress
    /// Sent to the endpoint alone. Nil: nobody in particular asks.
    package let token: String?
    /// The cache folder that the hub's programs share.
    package let cacheFolder: String
    /// Whether the network is left alone.
    package let isOffline: Bool

    /// A transfer that stands still for so long is broken off, and taken up again.
    package var idleTimeout = Duration.seconds(30)
    package var connectTimeout = Duration.seconds(10)
    /// Before the second try; twice as long before each one after it.
    package var retryDelay = Duration.milliseconds(500)
    /// Failures in a row, nothing coming between them, after which a transfer is given up.
    package var failureCountMax = 8
    /// Files of one model that are transferred at the same time.
    package var connectionCountMax = 4

    /// - Parameter environment: HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE,
    ///   HF_HUB_OFFLINE, XDG_CACHE_HOME and HOME count.
    package init(environment: [String: String]) throws(HubError) {
      func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
      let address = value("HF_ENDPOINT") ?? "https://huggingface.co"
      guard let endpoint = HubAddress(address), !address.contains("?"), !address.contains("#")
      else {
        throw .badSetting(
          name: "HF_ENDPOINT", wanted: "an address such as https://huggingface.co", found: address)
      }
      self.endpoint = endpoint
      let base = value("XDG_CACHE_HOME") ?? value("HOME").map { $0 + "/.cache" }
      let home = value("HF_HOME") ?? base.map { $0 + "/huggingface" }
      guard let cacheFolder = value("HF_HUB_CACHE") ?? home.map({ $0 + "/hub" }) else {
        throw .badSetting(name: "HF_HUB_CACHE", wanted: "a folder, HOME being unset", found: "")
      }
      self.cacheFolder = cacheFolder
      isOffline = ["1", "on", "yes", "true"].contains(value("HF_HUB_OFFLINE")?.lowercased())
      let tokenPath = value("HF_TOKEN_PATH") ?? home.map { $0 + "/token" }
      if let own = try Self.token(value("HF_TOKEN"), "HF_TOKEN") {
        token = own
      } else {
        token = try Self.token(tokenPath.flatMap(Self.text), tokenPath ?? "")
      }
    }

    private static let tokenByteCountMax = 4096

    private static func text(inFileAt path: String) -> String? {
      let bytes = try? WholeFile.contents(of: path, byteCountMax: tokenByteCountMax)
      return bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Without the line break that files end with; nil for an empty one.
    private static func token(_ text: String?, _ name: String) throws(HubError) -> String? {
      guard let token = text?.split(whereSeparator: \.isWhitespace).first else { return nil }
      guard text?.split(whereSeparator: \.isWhitespace).count == 1,
        token.utf8.count <= tokenByteCountMax, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
      else { throw .badSetting(name: name, wanted: "a token of plain characters", found: "others") }
      return String(token)
    }
  }
#endif
