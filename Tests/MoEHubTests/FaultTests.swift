#if TLS
  import Foundation
  import MoECore
  import MoEHub
  import MoETestSupport
  import Testing

  /// Networks, servers and disks that do what they should not.
  @Suite struct FaultTests {
    private static let content = Contents.random(200_000, seed: 7)
    private static let digest = Digests.sha256(content)
    private static let name = "m-Q8_0.gguf"

    private func hub(_ change: @escaping FakeHub.Change) throws -> FakeHub {
      try FakeHub([Self.name: Self.content], change: change)
    }

    /// A change of what the store answers alone.
    private func store(
      _ change: @escaping @Sendable (FakeHub.Request, inout FakeHub.Answer) -> Void
    ) -> FakeHub.Change {
      { request, answer in if request.isStore { change(request, &answer) } }
    }

    private func expectWhole(_ folder: HubFolder, _ note: String = "") throws {
      #expect(folder.blobs() == [Self.digest], "\(note)")
      let url = URL(fileURLWithPath: folder.blobPath(Self.digest))
      #expect([UInt8](try Data(contentsOf: url)) == Self.content, "\(note)")
    }

    @Test(arguments: Fuzz.seeds(40))
    func connectionsCutAtAnyByteAreTakenUpFuzz(_ seed: UInt64) async throws {
      let hub = try hub { request, answer in
        guard request.isStore else { return }
        var generator = SeededGenerator(seed: seed &* 1000 &+ UInt64(request.number))
        if request.number < 6 { answer.cut = Int.random(in: 1...80_000, using: &generator) }
        // Also where nothing says how much is to come.
        if generator.next() % 3 == 0 { answer.declaredByteCount = nil }
      }
      let folder = try HubFolder()
      let progress = TransferProgress(byteCount: Self.content.count)
      try await Pulling.pull(nil, try folder.settings(hub.endpoint), progress: progress)
      try expectWhole(folder, "seed \(seed)")
      #expect(progress.receivedByteCount == Self.content.count, "seed \(seed)")
      // What was there was not asked for again.
      let starts = hub.storeRequests.map { $0.rangeStart ?? 0 }
      #expect(starts == starts.sorted(), "seed \(seed)")
    }

    @Test func aConnectionThatNeverBringsAnythingIsGivenUp() async throws {
      let hub = try hub(store { _, answer in answer.cut = 0 })
      let settings = try HubFolder().settings(hub.endpoint) { $0.failureCountMax = 3 }
      let error = await Pulling.error(nil, settings)
      #expect(error.map { "\($0)" }?.contains("the same command goes on where it stopped") == true)
      #expect(hub.storeRequests.count == 3)
    }

    @Test func onlyTheRestIsAskedFor() async throws {
      let hub = try hub { _, _ in }
      let folder = try HubFolder()
      try folder.leave(Array(Self.content.prefix(123_457)), as: Self.digest + ".incomplete")
      let progress = TransferProgress(byteCount: Self.content.count)
      try await Pulling.pull(nil, try folder.settings(hub.endpoint), progress: progress)
      try expectWhole(folder)
      #expect(hub.storeRequests.map(\.rangeStart) == [123_457])
      #expect(hub.sentByteCount == 200_000 - 123_457)
      #expect(progress.receivedByteCount == 200_000 - 123_457)
      #expect(progress.heldByteCount == 200_000)
    }

    @Test func aFileThatIsThereButForItsNameIsCheckedAndNamed() async throws {
      let hub = try hub { _, _ in }
      let folder = try HubFolder()
      try folder.leave(Self.content, as: Self.digest + ".incomplete")
      try await Pulling.pull(nil, try folder.settings(hub.endpoint))
      try expectWhole(folder)
      #expect(hub.storeRequests.isEmpty)
    }

    @Test(arguments: [1, 150_000, 200_000, 250_000])
    func whatAnEarlierTransferLeftDamagedIsBroughtAgain(_ byteCount: Int) async throws {
      let hub = try hub { _, _ in }
      let folder = try HubFolder()
      try folder.leave(
        [UInt8](repeating: 0xEE, count: byteCount), as: Self.digest + ".incomplete")
      let progress = TransferProgress(byteCount: Self.content.count)
      try await Pulling.pull(nil, try folder.settings(hub.endpoint), progress: progress)
      try expectWhole(folder)
      #expect(progress.heldByteCount == 200_000)
      #expect(hub.storeRequests.last?.rangeStart == nil)
    }

    @Test func aServerThatIgnoresRangesSendsAllAgain() async throws {
      let hub = try hub(
        store { request, answer in
          answer.status = 200
          answer.headers["Content-Range"] = nil
          answer.setBody(Self.content)
          if request.number == 0 { answer.cut = 70_000 }
        })
      let folder = try HubFolder()
      let progress = TransferProgress(byteCount: Self.content.count)
      try await Pulling.pull(nil, try folder.settings(hub.endpoint), progress: progress)
      try expectWhole(folder)
      // Of what came before the cut, the connection's buffer is lost.
      let starts = hub.storeRequests.map(\.rangeStart)
      let held = try #require(starts.last ?? nil)
      #expect(starts.count == 2 && held <= 70_000)
      #expect(progress.heldByteCount == 200_000)
      #expect(progress.receivedByteCount == 200_000 + held)
    }

    @Test func aServerThatIgnoresRangesAndBreaksOffIsGivenUp() async throws {
      let hub = try hub(
        store { _, answer in
          answer.status = 200
          answer.headers["Content-Range"] = nil
          answer.setBody(Self.content)
          answer.cut = 70_000
        })
      let settings = try HubFolder().settings(hub.endpoint) { $0.failureCountMax = 4 }
      let error = await Pulling.error(nil, settings)
      guard case .dropped = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(hub.storeRequests.count == 4)
    }

    @Test func aChangedFileIsBegunAnew() async throws {
      let hub = try hub(
        store { request, answer in
          answer.headers["ETag"] = "\"state-\(min(request.number, 1))\""
          if request.number == 0 { answer.cut = 50_000 }
          if let tag = request.headers["if-range"], tag != answer.headers["ETag"] {
            answer.status = 200
            answer.headers["Content-Range"] = nil
            answer.setBody(Self.content)
          }
        })
      let folder = try HubFolder()
      try await Pulling.pull(nil, try folder.settings(hub.endpoint))
      try expectWhole(folder)
      #expect(hub.storeRequests.map { $0.headers["if-range"] } == [nil, "\"state-0\""])
    }

    @Test(arguments: [403, 410, 401, 404])
    func anExpiredAddressIsAskedForAgain(_ status: Int) async throws {
      let hub = try hub(
        store { request, answer in
          if request.number == 0 { answer.cut = 60_000 }
          // Addresses are good once.
          if request.path.hasSuffix("signed=1") { answer = FakeHub.Answer(status: status) }
        })
      let folder = try HubFolder()
      try await Pulling.pull(nil, try folder.settings(hub.endpoint))
      try expectWhole(folder)
      let starts = hub.storeRequests.map(\.rangeStart)
      #expect(starts.count == 3 && starts[0] == nil && starts[1] == starts[2])
      #expect(try #require(starts[1]) <= 60_000)
      #expect(hub.storeRequests.map { $0.path.last } == ["0", "1", "2"])
    }

    @Test func addressesThatAreNeverGoodAreGivenUp() async throws {
      let hub = try hub(store { _, answer in answer = FakeHub.Answer(status: 403) })
      let settings = try HubFolder().settings(hub.endpoint) { $0.failureCountMax = 3 }
      #expect(await Pulling.error(nil, settings) == .expired(host: "127.0.0.1", status: 403))
      #expect(hub.storeRequests.count == 3)
    }

    @Test func busyStoresAreAskedAgain() async throws {
      let hub = try hub(
        store { request, answer in
          if request.number < 3 { answer = FakeHub.Answer(status: 503) }
        })
      let folder = try HubFolder()
      try await Pulling.pull(nil, try folder.settings(hub.endpoint))
      try expectWhole(folder)
    }

    @Test func aFileThatIsGatedIsTold() async throws {
      let hub = try hub { request, answer in
        if request.path.contains("/resolve/") { answer = FakeHub.Answer(status: 403) }
      }
      let error = await Pulling.error(nil, try HubFolder().settings(hub.endpoint))
      #expect(
        error
          == .needsAccess(
            what: "Some-Owner/Some.Model-GGUF/m-Q8_0.gguf",
            page: "\(hub.endpoint)/Some-Owner/Some.Model-GGUF", hasToken: false))
    }

    @Test func aTransferThatStandsStillIsTakenUp() async throws {
      let hub = try hub(
        store { request, answer in
          if request.number == 0 {
            answer.cut = 40_000
            answer.isHeld = true
          }
        })
      let folder = try HubFolder()
      // On a busy machine anything may stand still for so long; it is taken up as often.
      let settings = try folder.settings(hub.endpoint) {
        $0.idleTimeout = .milliseconds(100)
        $0.failureCountMax = 1000
      }
      try await Pulling.pull(nil, settings)
      try expectWhole(folder)
    }

    @Test func aSlowServerIsWaitedFor() async throws {
      let hub = try hub(store { _, answer in answer.pause = .milliseconds(30) })
      let folder = try HubFolder()
      let settings = try folder.settings(hub.endpoint)
      try await Pulling.pull(nil, settings)
      try expectWhole(folder)
      #expect(hub.storeRequests.count == 1)
    }

    @Test(arguments: [199_999, 200_001, 0]) func otherSizesAreRefused(_ byteCount: Int) async throws
    {
      let folder = try HubFolder()
      let linked = try hub { request, answer in
        if request.path.contains("/resolve/") { answer.headers["X-Linked-Size"] = "\(byteCount)" }
      }
      let wrong = HubError.wrongSize(file: Self.name, wanted: 200_000, found: byteCount)
      #expect(await Pulling.error(nil, try folder.settings(linked.endpoint)) == wrong)
      let stored = try hub(
        store { _, answer in
          answer.setBody([UInt8](repeating: 1, count: byteCount))
        })
      #expect(await Pulling.error(nil, try folder.settings(stored.endpoint)) == wrong)
      #expect(!folder.blobs().contains(Self.digest))
    }

    @Test func moreThanThereShouldBeIsRefused() async throws {
      let hub = try hub(
        store { _, answer in
          answer.body += [1, 2, 3]
          answer.declaredByteCount = nil
        })
      let folder = try HubFolder()
      let error = await Pulling.error(nil, try folder.settings(hub.endpoint))
      guard case .wrongSize(Self.name, 200_000, let found) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(found > 200_000)
      #expect(!folder.blobs().contains(Self.digest))
    }

    @Test func otherBytesAreRefusedAndDeleted() async throws {
      let hub = try hub(store { _, answer in answer.body[150_000] ^= 1 })
      let folder = try HubFolder()
      let settings = try folder.settings(hub.endpoint)
      #expect(await Pulling.error(nil, settings) == .wrongDigest(file: Self.name))
      #expect(folder.blobs() == [Self.digest + ".incomplete"])
      let rest = try Data(contentsOf: URL(fileURLWithPath: folder.blobPath(folder.blobs()[0])))
      #expect(rest.isEmpty)
      #expect(hub.storeRequests.count == 1)
      // With some of it from before, it is tried once more from the beginning.
      try folder.leave(Array(Self.content.prefix(1000)), as: Self.digest + ".incomplete")
      #expect(await Pulling.error(nil, settings) == .wrongDigest(file: Self.name))
      #expect(hub.storeRequests.map(\.rangeStart) == [nil, 1000, nil])
    }

    @Test(arguments: [
      "bytes 0-199999/200000", "bytes 50001-199999/200000", "bytes 50000-199999/200001",
      "bytes 50000-200000/*", "bytes x", "bytes 50000-4/200000",
      "bytes 99999999999999999999-1/2",
    ])
    func partsOfOtherPlacesAreRefused(_ range: String) async throws {
      let hub = try hub(store { _, answer in answer.headers["Content-Range"] = range })
      let folder = try HubFolder()
      try folder.leave(Array(Self.content.prefix(50_000)), as: Self.digest + ".incomplete")
      let error = await Pulling.error(nil, try folder.settings(hub.endpoint))
      guard case .badAnswer = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      let left = try Data(
        contentsOf: URL(fileURLWithPath: folder.blobPath(Self.digest + ".incomplete")))
      #expect(left.count == 50_000)
    }

    @Test func aCodedAnswerIsRefused() async throws {
      let hub = try hub(store { _, answer in answer.headers["Content-Encoding"] = "gzip" })
      let error = await Pulling.error(nil, try HubFolder().settings(hub.endpoint))
      #expect(error.map { "\($0)" }?.contains("it coded as \"gzip\"") == true)
    }

    @Test func aPlaceThatIsALinkIsNotWrittenThrough() async throws {
      let hub = try hub { _, _ in }
      let folder = try HubFolder()
      let victim = folder.folder.url.appending(path: "victim")
      try Data("precious".utf8).write(to: victim)
      try folder.leave([], as: "x")
      try FileManager.default.createSymbolicLink(
        atPath: folder.blobPath(Self.digest + ".incomplete"), withDestinationPath: victim.path)
      let error = await Pulling.error(nil, try folder.settings(hub.endpoint))
      guard case .file = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(try String(contentsOf: victim, encoding: .utf8) == "precious")
    }

    @Test func oneShardThatFailsStopsTheOthers() async throws {
      var files: [String: [UInt8]] = [:]
      for number in 1...6 {
        files["m-Q8_0-0000\(number)-of-00006.gguf"] = Contents.random(50_000, seed: UInt64(number))
      }
      let hub = try FakeHub(files) { request, answer in
        guard request.isStore else { return }
        if request.path.contains("00002-of") {
          answer.body[0] ^= 1
        } else {
          // Never done.
          answer.cut = 10
          answer.isHeld = true
        }
      }
      let folder = try HubFolder()
      let settings = try folder.settings(hub.endpoint) { $0.connectionCountMax = 2 }
      let error = await Pulling.error(nil, settings)
      #expect(error == .wrongDigest(file: "m-Q8_0-00002-of-00006.gguf"))
      #expect(hub.storeRequests.count < 6)
    }
  }
#endif
