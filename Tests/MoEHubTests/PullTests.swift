#if TLS
  import Foundation
  import MoECore
  import MoEHub
  import MoETestSupport
  import Synchronization
  import Testing

  /// Counts what happens on any thread.
  private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func add() { count.withLock { $0 += 1 } }
  }

  /// How many of something go on at the same time.
  private final class Concurrency: Sendable {
    private let state = Mutex((now: 0, most: 0))

    var most: Int { state.withLock { $0.most } }

    func begin() { state.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) } }

    func end() { state.withLock { $0.now -= 1 } }
  }

  /// Transfers that go well, and where what they bring lies.
  @Suite struct PullTests {
    private static let content = Contents.random(300_000)

    @Test func filesLieWhereTheHubsProgramsLookForThem() async throws {
      let hub = try FakeHub(["d/e/m-Q8_0.gguf": Self.content])
      let folder = try HubFolder()
      let path = try await Pulling.pull("Q8_0", try folder.settings(hub.endpoint))
      let model = folder.model
      #expect(path == "\(model)/snapshots/\(FakeHub.commit)/d/e/m-Q8_0.gguf")
      #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == Self.content)
      let target = try FileManager.default.destinationOfSymbolicLink(atPath: path)
      #expect(target == "../../../../blobs/\(Digests.sha256(Self.content))")
      #expect(folder.blobs() == [Digests.sha256(Self.content)])
      let ref = try String(contentsOfFile: "\(model)/refs/main", encoding: .utf8)
      #expect(ref == FakeHub.commit)
      // As readable as the user's other files are.
      let status = try FileManager.default.attributesOfItem(
        atPath: folder.blobPath(Digests.sha256(Self.content)))
      let permissions = (status[.posixPermissions] as? NSNumber)?.intValue ?? 0
      let mask = umask(0)
      umask(mask)
      #expect(permissions == 0o666 & ~Int(mask))
    }

    @Test func whatIsThereIsNotBroughtAgain() async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": Self.content])
      let settings = try HubFolder().settings(hub.endpoint)
      let first = try await Pulling.pull("Q8_0", settings)
      let count = hub.sentByteCount
      let progress = TransferProgress(byteCount: Self.content.count)
      #expect(try await Pulling.pull("Q8_0", settings, progress: progress) == first)
      #expect(hub.sentByteCount == count)
      #expect(hub.storeRequests.count == 1)
      #expect(progress.heldByteCount == Self.content.count)
      #expect(progress.receivedByteCount == 0)
    }

    @Test func theTokenStaysWithTheHub() async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": Self.content])
      try await Pulling.pull(nil, try HubFolder().settings(hub.endpoint, token: "hf_secret"))
      for request in hub.requests {
        #expect(request.headers["authorization"] == (request.isStore ? nil : "Bearer hf_secret"))
      }
      #expect(hub.storeRequests.count == 1)
    }

    @Test func shardsComeSideBySide() async throws {
      var files: [String: [UInt8]] = [:]
      for number in 1...9 {
        files["m-Q8_0-0000\(number)-of-00009.gguf"] = Contents.random(40_000, seed: UInt64(number))
      }
      let running = Concurrency()
      let hub = try FakeHub(files) { request, answer in
        guard request.isStore else { return }
        running.begin()
        // Until as many as are allowed are there, or it takes too long.
        for _ in 0..<12_000 where running.most < 3 { usleep(10_000) }
        running.end()
      }
      let folder = try HubFolder()
      let settings = try folder.settings(hub.endpoint) { $0.connectionCountMax = 3 }
      let progress = TransferProgress(byteCount: 360_000)
      let path = try await Pulling.pull("Q8_0", settings, progress: progress)
      #expect(path.hasSuffix("m-Q8_0-00001-of-00009.gguf"))
      #expect(running.most == 3)
      #expect(progress.heldByteCount == 360_000)
      for (name, content) in files {
        let url = URL(fileURLWithPath: path).deletingLastPathComponent().appending(path: name)
        #expect([UInt8](try Data(contentsOf: url)) == content)
      }
    }

    @Test func namesMayHoldAnythingButPaths() async throws {
      let name = "a b%20c#d?e&f/ü-日本-Q8_0.gguf"
      let hub = try FakeHub([name: Self.content])
      let path = try await Pulling.pull(nil, try HubFolder().settings(hub.endpoint))
      #expect(path.hasSuffix("/\(FakeHub.commit)/\(name)"))
      #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == Self.content)
    }

    /// `abc` has the digest of FIPS 180-4's example, `hello` that which `git hash-object` prints.
    @Test(arguments: [
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      ("hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
    ])
    func digestsAreThoseOfTheStandards(_ text: String, _ digest: String) async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": Array(text.utf8)], digest: digest)
      let folder = try HubFolder()
      try await Pulling.pull(nil, try folder.settings(hub.endpoint))
      #expect(folder.blobs() == [digest])
      let other = String(digest.reversed())
      let wrong = try FakeHub(["m-Q8_0.gguf": Array(text.utf8)], digest: other)
      let error = await Pulling.error(nil, try folder.settings(wrong.endpoint))
      #expect(error == .wrongDigest(file: "m-Q8_0.gguf"))
    }

    @Test func twoAtOnceBringAFileOnce() async throws {
      let waits = Counter()
      let hub = try FakeHub(["m-Q8_0.gguf": Self.content]) { request, _ in
        guard request.isStore else { return }
        for _ in 0..<12_000 where waits.value < 3 { usleep(10_000) }
      }
      let settings = try HubFolder().settings(hub.endpoint)
      let paths = try await withThrowingTaskGroup(of: String.self) { group in
        for _ in 0..<4 {
          group.addTask {
            try await Pulling.pull("Q8_0", settings) { _ in waits.add() }
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(Set(paths).count == 1)
      #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: paths[0]))) == Self.content)
      #expect(hub.storeRequests.count == 1)
      #expect(waits.value == 3)
    }

    @Test func aCancelledTransferLeavesWhatCame() async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": Self.content]) { request, answer in
        guard request.isStore, request.number == 0 else { return }
        answer.cut = 100_000
        answer.isHeld = true
      }
      let folder = try HubFolder()
      let settings = try folder.settings(hub.endpoint)
      let (parts, part) = AsyncStream<Int>.makeStream()
      let progress = TransferProgress(byteCount: Self.content.count) {
        part.yield($0.heldByteCount)
      }
      let task = Task { () async -> HubError? in
        do throws(HubError) {
          try await Pulling.pull(nil, settings, progress: progress)
          return nil
        } catch {
          return error
        }
      }
      _ = await parts.first { $0 == 100_000 }
      task.cancel()
      #expect(await task.value == .cancelled)
      let partial = folder.blobPath(Digests.sha256(Self.content) + ".incomplete")
      let byteCount = try Data(contentsOf: URL(fileURLWithPath: partial)).count
      #expect(byteCount == 100_000)
      try await Pulling.pull(nil, settings)
      #expect(hub.storeRequests.last?.rangeStart == 100_000)
    }

    @Test func aDiskThatIsTooSmallIsToldFirst() async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": Self.content]) { request, answer in
        if request.path.contains("/tree/") {
          let text = String(decoding: answer.body, as: UTF8.self)
          answer.setBody(Array(text.replacingOccurrences(of: "300000", with: "\(Int.max)").utf8))
        }
      }
      let error = await Pulling.error(nil, try HubFolder().settings(hub.endpoint))
      guard case .noRoom(_, Int.max, let free) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(free > 0)
      #expect(hub.storeRequests.isEmpty)
    }

    @Test func aFolderThatCannotBeMadeIsNamed() async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": Self.content])
      let folder = try HubFolder()
      try Data().write(to: folder.folder.url.appending(path: "models--Some-Owner--Some.Model-GGUF"))
      let error = await Pulling.error(nil, try folder.settings(hub.endpoint))
      #expect(error.map { "\($0)" }?.contains("models--Some-Owner--Some.Model-GGUF") == true)
    }
  }
#endif
