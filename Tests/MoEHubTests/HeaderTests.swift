#if TLS
  import Foundation
  import MoEFormats
  import MoEHub
  import MoEPlatform
  import MoESynthetic
  import MoETestSupport
  import Testing

  /// Headers that are read where the weights stay at the hub.
  @Suite struct HeaderTests {
    /// A file with so many bytes of metadata and 40 MiB of weights.
    private func file(metadataByteCount: Int) throws -> [UInt8] {
      var writer = GGUFWriter()
      writer.metadata = [
        ("general.architecture", .string("sample")),
        ("long", .bytes([UInt8](repeating: 0x61, count: metadataByteCount))),
      ]
      writer.tensors = [
        GGUFWriter.Tensor("a", .f32, [10 << 20], bytes: [UInt8](repeating: 7, count: 40 << 20))
      ]
      return try writer.bytes()
    }

    private func headers(
      _ files: [String: [UInt8]], change: @escaping FakeHub.Change = { _, _ in }
    ) async throws -> (hub: FakeHub, folder: TemporaryFolder, path: String) {
      let hub = try FakeHub(files, change: change)
      let folder = try TemporaryFolder()
      let settings = try HubFolder().settings(hub.endpoint)
      let place = folder.url.path
      let path = try await Hub.withHub(settings) { hub throws(HubError) in
        let listing = try await hub.listing(of: .test)
        return try await hub.writeHeaders(of: listing.variants[0], in: listing, to: place)
      }
      return (hub, folder, path)
    }

    @Test(arguments: [(1000, 1), (3 << 20, 2), (9 << 20, 3)])
    func aHeaderIsReadInGrowingParts(_ byteCount: Int, _ requestCount: Int) async throws {
      let content = try file(metadataByteCount: byteCount)
      let (hub, folder, path) = try await headers(["m-Q8_0.gguf": content])
      defer { withExtendedLifetime(folder) {} }
      #expect(hub.storeRequests.count == requestCount)
      #expect(hub.storeRequests.allSatisfy { $0.headers["range"] != nil })
      #expect(hub.sentByteCount < content.count)
      let model = try GGUFFile(path: path)
      #expect(model.files[0].byteCount == content.count)
      #expect(model.tensors.map(\.name) == ["a"])
      // Nothing was written where the weights would be.
      let holes = try InputFile(path).holes()
      #expect(holes.count == 1 && holes[0].count > 16 << 20 && holes[0].upperBound == content.count)
    }

    @Test func aServerThatIgnoresRangesIsCutOff() async throws {
      let content = try file(metadataByteCount: 3 << 20)
      let (hub, folder, path) = try await headers(["m-Q8_0.gguf": content]) { request, answer in
        guard request.isStore else { return }
        answer.status = 200
        answer.headers["Content-Range"] = nil
        answer.setBody(content)
      }
      defer { withExtendedLifetime(folder) {} }
      #expect(hub.storeRequests.count == 2)
      #expect(hub.wholeAnswerCount == 0)
      #expect(try GGUFFile(path: path).tensors.map(\.name) == ["a"])
    }

    @Test func shardsHaveAHeaderEach() async throws {
      let scratch = try TemporaryFolder()
      let shards = try GGUFWriter(copyOf: TrainedModel.path)
        .writeShards(count: 3, named: "m-Q8_0", in: scratch.url)
      var files: [String: [UInt8]] = [:]
      for url in shards { files["d/" + url.lastPathComponent] = [UInt8](try Data(contentsOf: url)) }
      let (_, folder, path) = try await headers(files)
      defer { withExtendedLifetime(folder) {} }
      let (there, here) = (try GGUFFile(path: path), try GGUFFile(path: TrainedModel.path))
      #expect(there.files.count == 3)
      #expect(there.tensors.map(\.name) == here.tensors.map(\.name))
      #expect(there.keys.filter { !$0.hasPrefix("split.") } == here.keys)
    }

    @Test func whatIsNoModelIsToldByItsNameAtTheHub() async throws {
      let error = await #expect(throws: HubError.self) {
        _ = try await headers(["m-Q8_0.gguf": Contents.random(5 << 20)])
      }
      #expect(error.map { "\($0)" }?.hasPrefix("m-Q8_0.gguf: wanted a GGUF file") == true)
      let cut = await #expect(throws: HubError.self) {
        _ = try await headers(["m-Q8_0.gguf": Array(try file(metadataByteCount: 9000).prefix(8000))]
        )
      }
      #expect(cut.map { "\($0)" }?.contains("in the bytes that are left") == true)
    }

    @Test(arguments: [50, 1 << 19]) func aTransferThatBreaksOffIsBegunAgain(_ cut: Int) async throws
    {
      let content = try file(metadataByteCount: 1000)
      let (hub, folder, path) = try await headers(["m-Q8_0.gguf": content]) { request, answer in
        if request.isStore, request.number == 0 { answer.cut = cut }
      }
      defer { withExtendedLifetime(folder) {} }
      #expect(hub.storeRequests.count == 2)
      #expect(try GGUFFile(path: path).tensors.count == 1)
    }
  }
#endif
