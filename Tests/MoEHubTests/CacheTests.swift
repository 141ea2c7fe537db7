#if TLS
  import Foundation
  import MoEHub
  import MoETestSupport
  import Testing

  /// What is found without a hub.
  @Suite struct CacheTests {
    private static let files = [
      "m-Q4_K_M.gguf": Contents.random(5000, seed: 1),
      "m-Q8_0.gguf": Contents.random(6000, seed: 2),
      "big/m-BF16-00001-of-00002.gguf": Contents.random(7000, seed: 3),
      "big/m-BF16-00002-of-00002.gguf": Contents.random(7001, seed: 4),
    ]

    private func path(_ wanted: String?, in folder: HubFolder) throws(HubError) -> String {
      try HubCache(.test, in: folder.path).path(of: wanted, because: "there is no network")
    }

    @Test func whatWasPulledIsFound() async throws {
      let hub = try FakeHub(Self.files)
      let folder = try HubFolder()
      let settings = try folder.settings(hub.endpoint)
      for wanted in ["Q8_0", "BF16"] {
        #expect(try await Pulling.pull(wanted, settings) == path(wanted, in: folder))
      }
      #expect(try path("bf16", in: folder).hasSuffix("big/m-BF16-00001-of-00002.gguf"))
      #expect(try path("m-Q8_0.gguf", in: folder).hasSuffix("m-Q8_0.gguf"))
      let error = #expect(throws: HubError.self) { try path(nil, in: folder) }
      let text = error.map { "\($0)" } ?? ""
      #expect(text.contains("Q4_K_M is not in \(folder.path), and there is no network"))
      #expect(text.contains("it has Q8_0, BF16"))
    }

    @Test func anEmptyFolderIsTold() throws {
      let folder = try HubFolder()
      let error = #expect(throws: HubError.self) { try path("Q8_0", in: folder) }
      #expect(
        error.map { "\($0)" }
          == "Some-Owner/Some.Model-GGUF is not in \(folder.path), and there is no network; "
          + "pull it when there is a network")
    }

    @Test func commitsBehindTheNewestOneCountToo() async throws {
      let hub = try FakeHub(Self.files)
      let folder = try HubFolder()
      let pulled = try await Pulling.pull("Q8_0", try folder.settings(hub.endpoint))
      let model = folder.model
      try Data(String(repeating: "b", count: 40).utf8)
        .write(to: URL(fileURLWithPath: "\(model)/refs/main"))
      #expect(try path("Q8_0", in: folder) == pulled)
      try FileManager.default.removeItem(atPath: "\(model)/refs/main")
      #expect(try path("Q8_0", in: folder) == pulled)
    }

    @Test func aShardThatIsMissingHereIsNamed() async throws {
      let hub = try FakeHub(Self.files)
      let folder = try HubFolder()
      let first = try await Pulling.pull("BF16", try folder.settings(hub.endpoint))
      let second = first.replacingOccurrences(of: "00001-of", with: "00002-of")
      try FileManager.default.removeItem(atPath: second)
      #expect(throws: HubError.missingShard(path: "big/m-BF16-00002-of-00002.gguf")) {
        try path("BF16", in: folder)
      }
    }

    @Test func aLinkToNothingIsNoFile() async throws {
      let hub = try FakeHub(Self.files)
      let folder = try HubFolder()
      try await Pulling.pull("Q8_0", try folder.settings(hub.endpoint))
      try FileManager.default.removeItem(atPath: folder.blobPath(folder.blobs()[0]))
      #expect(throws: HubError.self) { try path("Q8_0", in: folder) }
    }

    @Test func aFileThatWasCutIsBroughtAgain() async throws {
      let hub = try FakeHub(Self.files)
      let folder = try HubFolder()
      let settings = try folder.settings(hub.endpoint)
      let pulled = try await Pulling.pull("Q8_0", settings)
      try folder.leave([1, 2, 3], as: folder.blobs()[0])
      try await Pulling.pull("Q8_0", settings)
      #expect(
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: pulled))) == Self.files["m-Q8_0.gguf"])
    }
  }
#endif
