#if TLS
  import Foundation
  import Glibc
  import MoEHub
  import MoEPlatform
  import MoESynthetic
  import MoETestSupport
  import Synchronization
  import Testing

  /// `moe-run pull` and `-hf`, as people use them.
  @Suite struct ProgramTests {
    private static let name = "Some-Owner/Some.Model-GGUF"

    private static func model() throws -> [UInt8] {
      [UInt8](try Data(contentsOf: URL(fileURLWithPath: TrainedModel.path)))
    }

    private func run(
      _ arguments: [String], _ folder: HubFolder, _ endpoint: String,
      _ environment: [String: String] = [:]
    ) async throws -> RunningProgram.Output {
      try await RunningProgram(
        arguments, folder, environment: folder.environment(endpoint).merging(environment) { $1 }
      ).end()
    }

    @Test func helpExplainsPulling() async throws {
      let folder = try HubFolder()
      let help = try await run(["pull", "--help"], folder, "http://127.0.0.1:1")
      #expect(help.code == 0)
      #expect(help.text.contains("USAGE: moe-run pull"))
      #expect(help.text.contains("HF_HUB_CACHE"))
      for name in [
        "generate", "plan", "inspect", "chat", "bench", "serve", "tokenize", "perplexity",
      ] {
        let text = try await run([name, "--help"], folder, "http://127.0.0.1:1").text
        #expect(text.contains("-hf, --hf-repo <owner/name[:quant]>"), "\(name)")
      }
    }

    @Test func theListSaysWhatEachNeedsHere() async throws {
      let scratch = try TemporaryFolder()
      let shards = try GGUFWriter(copyOf: TrainedModel.path)
        .writeShards(count: 2, named: "m-Q8_0", in: scratch.url)
      var files = ["m-Q4_K_M.gguf": Contents.random(3000), "m-Q6_K.gguf": try Self.model()]
      for url in shards { files[url.lastPathComponent] = [UInt8](try Data(contentsOf: url)) }
      files["m-BF16-00001-of-00002.gguf"] = [1]
      let hub = try FakeHub(files)
      let folder = try HubFolder()
      let output = try await run(["pull", Self.name, "--memory", "256M"], folder, hub.endpoint)
      #expect(output.code == 0, "\(output.errors)")
      let lines = output.text.split(separator: "\n").map(String.init)
      #expect(lines.count == 6, "\(output.text)")
      #expect(lines[0] == "\(Self.name), commit c0ffee12")
      #expect(
        lines[1].contains("BF16-00002") || lines[1].contains("00002-of-00002.gguf is missing"))
      #expect(lines[2].contains("does not run here: m-Q4_K_M.gguf: wanted a GGUF file"))
      #expect(lines[3].contains("Q6_K") && lines[3].contains("of 256.0 MiB, all in memory"))
      #expect(lines[4].contains("Q8_0") && lines[4].contains("2 files"))
      #expect(lines[5] == "download one with: moe-run pull \(Self.name):QUANT")
      // Nothing but headers came, and nothing was kept.
      #expect(folder.blobs().isEmpty)
      let small = try await run(["pull", Self.name, "--memory", "5M"], folder, hub.endpoint)
      #expect(small.text.contains("too large for 5.0 MiB: needs at least --memory "))
      let part = try await run(["pull", Self.name, "--expert-pool", "50%"], folder, hub.endpoint)
      #expect(part.text.contains("of its experts in memory, the others read from disk"))
    }

    @Test func theListAsJSONHasThePlansFigures() async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": try Self.model()])
      let folder = try HubFolder()
      let output = try await run(
        ["pull", Self.name, "--memory", "256M", "--json"], folder, hub.endpoint)
      let list = try #require(
        try JSONSerialization.jsonObject(with: Data(output.text.utf8)) as? [String: Any])
      let rows = try #require(list["variants"] as? [[String: Any]])
      let row = try #require(rows.first)
      // The same as a plan of the file itself says.
      let plan = try await run(
        ["plan", TrainedModel.path, "--memory", "256M", "--json", "--probe", "none"], folder,
        hub.endpoint)
      let own = try #require(
        try JSONSerialization.jsonObject(with: Data(plan.text.utf8)) as? [String: Any])
      #expect(rows.count == 1)
      #expect(row["quant"] as? String == "Q8_0")
      #expect(row["bytes"] as? Int == own["model_bytes"] as? Int)
      #expect(row["placement"] as? String == own["placement"] as? String)
      #expect(row["experts"] as? Int == own["experts"] as? Int)
      #expect(row["fits"] as? Bool == true)
      #expect(row["is_here"] as? Bool == false)
    }

    @Test func aModelIsPulledAndRunByName() async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": try Self.model(), "m-Q4_0.gguf": [1]])
      let folder = try HubFolder()
      let pulled = try await run(["pull", Self.name + ":q8_0"], folder, hub.endpoint)
      #expect(pulled.code == 0, "\(pulled.errors)")
      let path = String(pulled.text.dropLast())
      #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == (try Self.model()))
      #expect(pulled.errors.hasPrefix("moe-run: downloading \(Self.name)/m-Q8_0.gguf, 8.49 MiB"))

      let words = ["-p", "Once upon a time", "-n", "12", "--temp", "0", "-q"]
      let own = try await run([TrainedModel.path] + words, folder, hub.endpoint)
      let named = ["-hf", Self.name + ":Q8_0"] + words
      let online = try await run(named, folder, hub.endpoint)
      #expect(online.text == own.text)
      #expect(online.code == 0 && !own.text.isEmpty)
      let count = hub.requests.count
      let offline = try await run(named, folder, hub.endpoint, ["HF_HUB_OFFLINE": "1"])
      #expect(offline.text == own.text)
      #expect(hub.requests.count == count)
      let unreachable = try await run(named, folder, "http://127.0.0.1:1")
      #expect(unreachable.text == own.text)
      #expect(unreachable.errors.contains("127.0.0.1 cannot be reached"))
      #expect(hub.wholeAnswerCount == 1)
    }

    @Test func aModelIsBroughtWhereItIsNamed() async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": try Self.model()])
      let folder = try HubFolder()
      let words = ["-hf", Self.name, "-p", "Once", "-n", "3", "--temp", "0"]
      let output = try await run(words, folder, hub.endpoint)
      #expect(output.code == 0, "\(output.errors)")
      #expect(output.text.hasPrefix("Once"))
      #expect(folder.blobs().count == 1)
    }

    @Test func plansNeedTheHeaderAlone() async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": try Self.model()])
      let folder = try HubFolder()
      for arguments in [["plan", "--memory", "256M"], ["inspect"], ["tokenize", "-p", "Once"]] {
        let output = try await run(
          [arguments[0], "-hf", Self.name] + arguments.dropFirst(), folder, hub.endpoint)
        #expect(output.code == 0, "\(arguments): \(output.errors)")
        #expect(!output.text.contains("/tmp"), "\(output.text)")
        if arguments[0] != "tokenize" {
          #expect(output.text.contains("model     \(Self.name)/m-Q8_0.gguf"), "\(output.text)")
          #expect(output.text.contains("missing   the weights, which are at the hub"))
        }
      }
      #expect(folder.blobs().isEmpty)
      let asked = try await run(
        ["plan", "-hf", Self.name, "--hit-rate", "0.5"], folder, hub.endpoint)
      #expect(asked.code == 64)
      #expect(asked.errors.contains("moe-run pull \(Self.name):Q8_0 brings it"))
    }

    /// Arguments, exit code and what the sentence must name.
    @Test(arguments: [
      (["pull"], 64, "owner/name"), (["pull", "model.gguf"], 64, "OWNER/NAME"),
      (["pull", "a/b:Q8_0", "--json"], 64, "--json"),
      (["-hf", "x", "-p", "y"], 64, "\"x\" names no"),
      (["m.gguf", "-hf", "a/b", "-p", "y"], 64, "'m.gguf' and -hf 'a/b'"),
      (["pull", "a/b"], 1, "a/b is not at 127.0.0.1"),
      (["pull", "NAME:Q2_K"], 1, "has no Q2_K; it has Q8_0"),
      (["-hf", "NAME:Q2_K", "-p", "y"], 1, "has no Q2_K; it has Q8_0"),
    ])
    func mistakesAreToldInOneSentence(
      _ arguments: [String], _ code: Int32, _ words: String
    ) async throws {
      let hub = try FakeHub(["m-Q8_0.gguf": [1]]) { request, answer in
        if request.path.contains("/a/b/") { answer = FakeHub.Answer(status: 404) }
      }
      let arguments = arguments.map { $0.replacingOccurrences(of: "NAME", with: Self.name) }
      let output = try await run(arguments, try HubFolder(), hub.endpoint)
      #expect(output.code == code, "\(output.errors)")
      #expect(output.text.isEmpty)
      #expect(output.errors.hasPrefix("moe-run: "))
      #expect(output.errors.contains(words), "\(output.errors)")
    }

    @Test func withoutNetworkTheSentenceSaysSo() async throws {
      let folder = try HubFolder()
      let offline = try await run(
        ["-hf", Self.name, "-p", "x"], folder, "http://127.0.0.1:1", ["HF_HUB_OFFLINE": "1"])
      #expect(offline.code == 1)
      #expect(offline.errors.contains("and HF_HUB_OFFLINE is set; pull it when there is a network"))
      let unreachable = try await run(["-hf", Self.name, "-p", "x"], folder, "http://127.0.0.1:1")
      #expect(unreachable.code == 1)
      #expect(unreachable.errors.contains("127.0.0.1 cannot be reached: Connection refused"))
      let setting = try await run(["pull", Self.name], folder, "ftp://x")
      #expect(setting.code == 1)
      #expect(setting.errors.contains("HF_ENDPOINT"))
    }

    @Test(arguments: [SIGKILL, SIGINT]) func aPullThatIsStoppedGoesOn(_ signal: Int32) async throws
    {
      let content = Contents.random(2 << 20, seed: 5)
      let gate = Gate()
      // Whatever the program asks for, it gets no further until it was stopped.
      let hub = try FakeHub(["m-Q8_0.gguf": content]) { request, answer in
        guard request.isStore, !gate.isOpen else { return }
        answer.cut = request.number == 0 ? 700_001 : 0
        answer.isHeld = true
      }
      let folder = try HubFolder()
      let arguments = ["pull", Self.name + ":Q8_0"]
      let program = try RunningProgram(
        arguments, folder, environment: folder.environment(hub.endpoint))
      let partial = folder.blobPath(Digests.sha256(content) + ".incomplete")
      func byteCount() -> Int { FileStatus(path: partial)?.identity.byteCount ?? 0 }
      for _ in 0..<60_000 where byteCount() < 700_001 {
        try await Task.sleep(for: .milliseconds(1))
      }
      kill(program.process.processIdentifier, signal)
      let stopped = try await program.end()
      #expect(stopped.text.isEmpty)
      if signal == SIGINT {
        #expect(stopped.code == 130)
        #expect(stopped.errors.contains("the same command goes on where this one was"))
      }
      #expect(byteCount() == 700_001)
      gate.open()
      let output = try await run(arguments, folder, hub.endpoint)
      #expect(output.code == 0, "\(output.errors)")
      let path = URL(fileURLWithPath: String(output.text.dropLast()))
      #expect([UInt8](try Data(contentsOf: path)) == content)
      let starts = hub.storeRequests.map(\.rangeStart)
      #expect(starts.first == .some(nil))
      #expect(starts.count >= 2 && starts.dropFirst().allSatisfy { $0 == 700_001 }, "\(starts)")
    }

    @Test func twoPullsAtOnceBringAFileOnce() async throws {
      let content = Contents.random(1 << 20, seed: 6)
      let gate = Gate()
      let hub = try FakeHub(["m-Q8_0.gguf": content]) { request, _ in
        if request.isStore { gate.wait() }
      }
      let folder = try HubFolder()
      let programs = try (0..<3).map { _ in
        try RunningProgram(
          ["pull", Self.name + ":Q8_0"], folder, environment: folder.environment(hub.endpoint))
      }
      func waiting() -> Int {
        programs.count { $0.errors.contains("another program is downloading m-Q8_0.gguf") }
      }
      for _ in 0..<20_000 where waiting() < 2 { try await Task.sleep(for: .milliseconds(1)) }
      #expect(waiting() == 2)
      gate.open()
      var outputs: [RunningProgram.Output] = []
      for program in programs { outputs.append(try await program.end()) }
      #expect(outputs.allSatisfy { $0.code == 0 && $0.text == outputs[0].text })
      #expect(hub.wholeAnswerCount == 1)
      #expect(folder.blobs() == [Digests.sha256(content)])
    }
  }

  /// Holds answers back until a test lets them go.
  private final class Gate: Sendable {
    private let state = Mutex(false)

    var isOpen: Bool { state.withLock { $0 } }

    func open() { state.withLock { $0 = true } }

    /// Waits two minutes at most.
    func wait() {
      for _ in 0..<12_000 where !isOpen { usleep(10_000) }
    }
  }
#endif
