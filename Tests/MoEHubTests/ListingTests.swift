#if TLS
  import Foundation
  import MoECore
  import MoEHub
  import MoETestSupport
  import Testing

  /// What a hub says of a model, and what becomes of answers that no hub gives.
  @Suite struct ListingTests {
    private static let files = [
      "m-Q4_K_M.gguf": Contents.random(1000), "m-Q8_0.gguf": Contents.random(2000),
      "big/m-BF16-00001-of-00002.gguf": Contents.random(3000),
      "big/m-BF16-00002-of-00002.gguf": Contents.random(3001), "notes.txt": [1],
    ]

    private func error(
      token: String? = nil, _ change: @escaping FakeHub.Change
    ) async throws -> (error: HubError, hub: FakeHub) {
      let hub = try FakeHub(Self.files, change: change)
      let settings = try HubFolder().settings(hub.endpoint, token: token)
      do throws(HubError) {
        _ = try await Pulling.listing(settings)
      } catch {
        return (error, hub)
      }
      throw Unexpected()
    }

    private struct Unexpected: Error {}

    /// An answer of the list itself in place of the hub's.
    private func list(_ text: String) -> FakeHub.Change {
      { request, answer in
        if request.path.contains("/tree/") { answer.setBody(Array(text.utf8)) }
      }
    }

    @Test(arguments: [1, 3, 7]) func allPagesAreRead(_ pageCount: Int) async throws {
      let hub = try FakeHub(Self.files, pageCount: pageCount)
      let listing = try await Pulling.listing(try HubFolder().settings(hub.endpoint))
      #expect(listing.commit == FakeHub.commit)
      #expect(listing.variants.map(\.label) == ["Q4_K_M", "Q8_0", "BF16"])
      #expect(listing.variants.map(\.byteCount) == [1000, 2000, 6001])
      #expect(hub.requests.count == 1 + pageCount)
    }

    @Test func theTokenGoesToTheHub() async throws {
      let hub = try FakeHub(Self.files)
      _ = try await Pulling.listing(try HubFolder().settings(hub.endpoint, token: "hf_x"))
      #expect(hub.requests.allSatisfy { $0.headers["authorization"] == "Bearer hf_x" })
    }

    @Test(arguments: [
      (401, "RepoNotFound", nil, "set HF_TOKEN"), (404, nil, nil, "check the name"),
      (404, nil, "t", "HF_TOKEN may read it"),
      (401, "GatedRepo", nil, "accept its terms at "),
      (403, "GatedRepo", "t", "valid and of the same account"),
      (418, nil, nil, "status 418"),
    ])
    func statusesAreTold(
      _ status: Int, _ code: String?, _ token: String?, _ words: String
    ) async throws {
      let (error, hub) = try await error(token: token) { _, answer in
        answer = FakeHub.Answer(status: status)
        answer.headers["X-Error-Code"] = code
      }
      #expect("\(error)".contains(words), "\(error)")
      #expect("\(error)".contains("Some-Owner/Some.Model-GGUF"))
      #expect(hub.requests.count == 1)
    }

    @Test(arguments: [429, 500, 503]) func busyHubsAreAskedAgain(_ status: Int) async throws {
      let hub = try FakeHub(Self.files) { request, answer in
        if request.number < 2 {
          answer = FakeHub.Answer(status: status, headers: ["Retry-After": "0"])
        }
      }
      let listing = try await Pulling.listing(try HubFolder().settings(hub.endpoint))
      #expect(listing.variants.count == 3)
      let (error, _) = try await error { _, answer in answer = FakeHub.Answer(status: status) }
      #expect("\(error)" == "127.0.0.1 is busy (status \(status)); try again later")
      let (asked, other) = try await self.error { _, answer in
        answer = FakeHub.Answer(status: status, headers: ["Retry-After": "7200"])
      }
      #expect("\(asked)".hasSuffix("try again in 7200 seconds"))
      #expect(other.requests.count == 1)
    }

    @Test func aHubThatIsNotThereIsTold() async throws {
      var settings = try HubFolder().settings("http://127.0.0.1:1")
      settings.retryDelay = .zero
      let refused = await Pulling.error(nil, settings)
      #expect(
        refused.map { "\($0)" }?.contains("127.0.0.1 cannot be reached: Connection refused") == true
      )
      let unknown = await Pulling.error(
        nil, try HubFolder().settings("http://no-such-host.invalid"))
      #expect(unknown.map { "\($0)" }?.contains("no-such-host.invalid cannot be reached") == true)
    }

    @Test func aHubThatDoesNotAnswerIsGivenUp() async throws {
      let hub = try FakeHub(Self.files) { _, answer in
        answer.cut = 0
        answer.isHeld = true
      }
      let settings = try HubFolder().settings(hub.endpoint) { $0.idleTimeout = .milliseconds(50) }
      let error = await Pulling.error(nil, settings)
      #expect(error.map { "\($0)" }?.contains("nothing came for a while") == true)
    }

    @Test func redirectsAreFollowedWithinTheHub() async throws {
      let hub = try FakeHub(Self.files) { request, answer in
        if request.path.contains("/revision/"), request.number == 0 {
          answer = FakeHub.Answer(status: 307, headers: ["Location": request.path])
        }
      }
      let listing = try await Pulling.listing(try HubFolder().settings(hub.endpoint, token: "t"))
      #expect(listing.variants.count == 3)
      #expect(hub.requests.allSatisfy { $0.headers["authorization"] == "Bearer t" })
    }

    @Test func redirectsWithoutEndAreGivenUp() async throws {
      let (error, hub) = try await error { request, answer in
        answer = FakeHub.Answer(status: 302, headers: ["Location": request.path])
      }
      #expect("\(error)".contains("at most 5 redirects"))
      #expect(hub.requests.count == 6)
    }

    @Test(arguments: [nil, "", "ftp://a/b", "http://", "file:///etc/passwd"])
    func redirectsToNowhereAreRefused(_ location: String?) async throws {
      let (error, _) = try await error { _, answer in
        answer = FakeHub.Answer(status: 302)
        answer.headers["Location"] = location
      }
      #expect("\(error)".contains("an address to go on to"), "\(error)")
    }

    @Test(arguments: [
      ("{", "a string"), ("", "a value"), ("{}", "a list of files"), ("[1,2", "a comma or ]"),
      (String(repeating: "[", count: 5000), "fewer values in each other"),
    ])
    func textThatIsNoListIsRefused(_ text: String, _ wanted: String) async throws {
      let (error, _) = try await error(list(text))
      #expect("\(error)".contains("wanted \(wanted)"), "\(error)")
    }

    @Test func aListWithoutEndIsCut() async throws {
      let (error, _) = try await error { request, answer in
        if request.path.contains("/tree/") {
          answer.setBody([UInt8](repeating: 0x20, count: (16 << 20) + 10))
        }
      }
      #expect("\(error)".contains("at most 16.0 MiB of text"))
    }

    @Test func pagesWithoutEndAreGivenUp() async throws {
      let (error, hub) = try await error { request, answer in
        if request.path.contains("/tree/") {
          answer = FakeHub.Answer(json: "[]")
          answer.headers["Link"] = "<\(request.path)>; rel=\"next\""
        }
      }
      #expect("\(error)".contains("at most 100 pages"))
      #expect(hub.requests.count == 101)
    }

    @Test func aNextPageElsewhereIsRefused() async throws {
      let (error, _) = try await error { request, answer in
        answer.headers["Link"] = "<http://127.0.0.1:1/x>; rel=\"next\""
      }
      #expect("\(error)".contains("a next page at the same host"))
    }

    @Test(arguments: [
      "../m.gguf", "/m.gguf", "a/../m.gguf", "a//m.gguf", "./m.gguf", "a/./m.gguf", "a\\\\m.gguf",
      "a\\u0000.gguf", "a\\u000a.gguf", "\(String(repeating: "x", count: 300)).gguf",
    ])
    func namesThatLeaveTheFolderAreRefused(_ path: String) async throws {
      let oid = Digests.sha256([1])
      let (error, _) = try await error(
        list(#"[{"type":"file","path":"\#(path)","lfs":{"oid":"\#(oid)","size":1}}]"#))
      #expect("\(error)".contains("names of files inside the model"), "\(error)")
    }

    @Test(arguments: [
      #""size":1"#, #""lfs":{"size":1}"#, #""lfs":{"oid":"OID"}"#,
      #""lfs":{"oid":"OID","size":-1}"#,
      #""lfs":{"oid":"OID","size":1.5}"#, #""lfs":{"oid":"../../x","size":1}"#,
      #""lfs":{"oid":"OID","size":99999999999999999999}"#, #""oid":5,"size":1"#,
    ])
    func filesWithoutSizeOrDigestAreRefused(_ members: String) async throws {
      let members = members.replacingOccurrences(of: "OID", with: Digests.sha256([1]))
      let (error, _) = try await error(list(#"[{"type":"file","path":"m.gguf",\#(members)}]"#))
      #expect("\(error)".contains("a size and a digest"), "\(error)")
    }

    @Test(arguments: [#"{"sha":"main"}"#, #"{"sha":"../../../x"}"#, "{}", "[]", "5"])
    func aCommitIsACommit(_ text: String) async throws {
      let (error, _) = try await error { request, answer in
        if request.path.contains("/revision/") { answer.setBody(Array(text.utf8)) }
      }
      #expect("\(error)".contains("the commit of main"), "\(error)")
    }

    @Test(arguments: Fuzz.seeds(150))
    func listsWithChangedBytesAreReadOrRefusedFuzz(_ seed: UInt64) async throws {
      let hub = try FakeHub(Self.files) { request, answer in
        guard request.path.contains("/tree/") else { return }
        var generator = SeededGenerator(seed: seed)
        var body = answer.body
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          let index = Int.random(in: 0..<body.count, using: &generator)
          switch generator.next() % 3 {
          case 0: body[index] = UInt8(truncatingIfNeeded: generator.next())
          case 1: body.remove(at: index)
          default: body.removeSubrange(index...)
          }
          if body.isEmpty { body = [0x20] }
        }
        answer.setBody(body)
      }
      let settings = try HubFolder().settings(hub.endpoint)
      do throws(HubError) {
        let listing = try await Pulling.listing(settings)
        for file in listing.variants.flatMap(\.files) {
          #expect(!file.path.split(separator: "/").contains(".."), "seed \(seed)")
          #expect(!file.path.hasPrefix("/") && file.byteCount >= 0, "seed \(seed)")
        }
      } catch {
        guard case .badAnswer = error else {
          Issue.record("seed \(seed): \(error)")
          return
        }
      }
    }
  }
#endif
