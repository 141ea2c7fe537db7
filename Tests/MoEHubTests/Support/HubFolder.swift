#if TLS
  import Crypto
  import Foundation
  import MoECore
  import MoEHub
  import MoETestSupport

  /// A cache folder of a test's own, and settings that keep to it.
  struct HubFolder {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    var path: String { folder.url.path }

    func environment(_ endpoint: String) -> [String: String] {
      ["HF_ENDPOINT": endpoint, "HF_HUB_CACHE": path, "HF_HOME": path + "/home"]
    }

    /// Settings whose pauses are short, and that wait for the other side however busy the machine
    /// is.
    func settings(
      _ endpoint: String, token: String? = nil, _ change: (inout HubSettings) -> Void = { _ in }
    ) throws -> HubSettings {
      var environment = environment(endpoint)
      environment["HF_TOKEN"] = token
      var settings = try HubSettings(environment: environment)
      settings.retryDelay = .milliseconds(1)
      settings.idleTimeout = .seconds(600)
      settings.connectTimeout = .seconds(600)
      change(&settings)
      return settings
    }

    /// The folder of the model of the tests.
    var model: String { "\(path)/models--Some-Owner--Some.Model-GGUF" }

    /// What is in its folder of contents.
    func blobs() -> [String] {
      (try? FileManager.default.contentsOfDirectory(atPath: "\(model)/blobs"))?.sorted() ?? []
    }

    func blobPath(_ name: String) -> String { "\(model)/blobs/\(name)" }

    /// Leaves what an earlier transfer would have.
    func leave(_ bytes: [UInt8], as name: String) throws {
      let path = blobPath(name)
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
  }

  extension HubModelName {
    static var test: HubModelName {
      get throws(HubError) { try HubModelName(parsing: "Some-Owner/Some.Model-GGUF") }
    }
  }

  enum Digests {
    static func sha256(_ bytes: [UInt8]) -> String {
      SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
    }
  }

  enum Contents {
    /// Random bytes, as many as are asked for.
    static func random(_ byteCount: Int, seed: UInt64 = 1) -> [UInt8] {
      var generator = SeededGenerator(seed: seed)
      var bytes: [UInt8] = []
      bytes.reserveCapacity(byteCount + 8)
      while bytes.count < byteCount {
        unsafe withUnsafeBytes(of: generator.next()) { unsafe bytes.append(contentsOf: $0) }
      }
      return Array(bytes.prefix(byteCount))
    }
  }

  /// Asks for a model as `moe-run pull` does.
  enum Pulling {
    static func listing(_ settings: HubSettings) async throws(HubError) -> HubListing {
      try await Hub.withHub(settings) { hub throws(HubError) in try await hub.listing(of: .test) }
    }

    /// Brings a variant and returns the path to open.
    @discardableResult
    static func pull(
      _ wanted: String? = nil, _ settings: HubSettings, progress: TransferProgress? = nil,
      waiting: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws(HubError) -> String {
      try await Hub.withHub(settings) { hub throws(HubError) in
        let listing = try await hub.listing(of: .test)
        let variant = try ModelVariant.choose(wanted, of: listing.variants, model: "Some")
        let progress = progress ?? TransferProgress(byteCount: variant.byteCount)
        return try await hub.pull(variant, of: listing, progress: progress, waiting: waiting)
      }
    }

    /// The error that a pull ends with; nil where it succeeds.
    static func error(_ wanted: String? = nil, _ settings: HubSettings) async -> HubError? {
      do throws(HubError) {
        try await pull(wanted, settings)
        return nil
      } catch {
        return error
      }
    }
  }
#endif
