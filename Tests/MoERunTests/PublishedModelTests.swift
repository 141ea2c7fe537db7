import Foundation
import MoEModel
import MoETestSupport
import Testing

/// What `inspect` and `plan` say of published models, whose files are made of their headers alone.
@Suite(PublishedHeaders.needed) struct PublishedModelTests {
  private struct Description: Decodable {
    struct Expected: Decodable {
      let architecture: String
      let layers, nextnLayers, moeLayers, firstMoeLayer, experts, expertsUsed: Int
      let paramsTotal, paramsActivePerTokenWithoutEmbedding: Int
      let expertBytes: Int
    }

    let expected: Expected
  }

  private static func expected(_ name: String) throws -> Description.Expected {
    let folder = try #require(PublishedHeaders.directory)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      Description.self, from: Data(contentsOf: folder.appending(path: name + ".json"))
    ).expected
  }

  /// Those of families that run here, and the others.
  private static let (names, foreignNames) = {
    func runs(_ name: String) -> Bool {
      (try? expected(name)).map { ArchitectureRegistry.entry(named: $0.architecture) != nil }
        ?? true
    }
    let all = PublishedHeaders.names
    return (all.filter(runs), all.filter { !runs($0) })
  }()

  /// What a program writes as JSON, which it has a second for.
  private func report(_ arguments: String...) throws -> [String: Any] {
    let run = try MeasuredProcess.run([Program.url.path] + arguments)
    #expect(run.exitCode == 0, "\(run.errorOutput)")
    #expect(run.processorSeconds < 1, "\(arguments)")
    return try #require(
      try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
  }

  @Test(arguments: names) func aPublishedModelIsDescribed(_ name: String) throws {
    let wanted = try Self.expected(name)
    let folder = try TemporaryFolder()
    let path = try #require(try PublishedHeaders.write(name, to: folder.url).first).path
    let report = try report("inspect", "--json", path)
    #expect(report["architecture"] as? String == wanted.architecture)
    #expect(report["obstacle"] == nil, "\(report["obstacle"] ?? "")")
    let parameters = try #require(report["parameters"] as? [String: Any])
    #expect(parameters["total"] as? Int == wanted.paramsTotal)
    #expect(parameters["active"] as? Int == wanted.paramsActivePerTokenWithoutEmbedding)
    let experts = try #require(report["experts"] as? [String: Any])
    #expect(experts["per_token"] as? Int == wanted.expertsUsed)
    let layers = try #require(experts["layers"] as? [[String: Any]])
    let routed = layers.filter { $0["layer"] as? Int ?? 0 < wanted.layers }
    #expect(routed.count == wanted.moeLayers)
    #expect(routed.first?["layer"] as? Int == wanted.firstMoeLayer)
    #expect(routed.allSatisfy { $0["experts"] as? Int == wanted.experts })

    let plan = try self.report("plan", "--json", path, "--probe", "none")
    #expect(plan["layers"] as? Int == wanted.layers)
    #expect(
      (plan["experts_per_layer"] as? [Int])?.filter { $0 == wanted.experts }.count
        == wanted.moeLayers)
    // Experts of layers that predict further tokens are in the file and are not read.
    if wanted.nextnLayers == 0 { #expect(plan["expert_bytes"] as? Int == wanted.expertBytes) }
    let kept = try PublishedState(report, layerCount: wanted.layers)
    #expect(kept.bytesPerToken > 0)
    #expect(plan["kv_bytes_per_token"] as? Int == kept.bytesPerToken)
    #expect(plan["state_bytes_per_sequence"] as? Int == kept.bytesPerSequence)
    withExtendedLifetime(folder) {}
  }

  /// Figures from elsewhere: DeepSeek-V3's of arXiv 2505.09343, table 1 (70.272 KB); the others are
  /// heads times elements times layers of the models' published configurations.
  @Test(arguments: [
    ("deepseek-r1.", 70_272), ("kimi-k2.5.", 61 * 576 * 2), ("glm-4.7-flash.", 47 * 576 * 2),
    ("olmoe-", 16 * 2 * 16 * 128 * 2), ("gpt-oss-20b.", 24 * 2 * 8 * 64 * 2),
    ("qwen3-30b-", 48 * 2 * 4 * 128 * 2), ("qwen3-next-", 12 * 2 * 2 * 256 * 2),
    ("gemma-4-26b-", (25 * 2 * 8 * 256 + 5 * 2 * 2 * 512) * 2),
  ])
  func knownModelsKeepWhatIsKnown(_ prefix: String, _ bytesPerToken: Int) throws {
    let name = try #require(Self.names.first { $0.hasPrefix(prefix) })
    let folder = try TemporaryFolder()
    let path = try #require(try PublishedHeaders.write(name, to: folder.url).first).path
    let plan = try report("plan", "--json", path, "--probe", "none")
    #expect(plan["kv_bytes_per_token"] as? Int == bytesPerToken)
    withExtendedLifetime(folder) {}
  }

  @Test(arguments: foreignNames) func otherFamiliesAreRefusedByName(_ name: String) throws {
    let wanted = try Self.expected(name)
    let folder = try TemporaryFolder()
    let path = try #require(try PublishedHeaders.write(name, to: folder.url).first).path
    let sentence = "\(path): the architecture \"\(wanted.architecture)\" is not supported; "
    let report = try report("inspect", "--json", path)
    #expect((report["obstacle"] as? String)?.hasPrefix(sentence) == true)
    #expect(report["architecture"] as? String == wanted.architecture)
    let parameters = try #require(report["parameters"] as? [String: Any])
    #expect(parameters["total"] as? Int == wanted.paramsTotal)
    let plan = try MeasuredProcess.run([Program.url.path, "plan", path])
    #expect(plan.exitCode != 0 && plan.output.isEmpty)
    #expect(plan.errorOutput.hasPrefix("moe-run: " + sentence))
    #expect(plan.errorOutput.split(separator: "\n").count == 1)
    withExtendedLifetime(folder) {}
  }
}

/// What a text keeps, by the shapes of a file's tensors alone: keys and values of 16 bits, states
/// of 32.
private struct PublishedState {
  private(set) var bytesPerToken = 0
  private(set) var bytesPerSequence = 0

  /// - Parameter report: What `inspect --json` writes.
  init(_ report: [String: Any], layerCount: Int) throws {
    var shapes: [String: [Int]] = [:]
    for tensor in try #require(report["tensors"] as? [[String: Any]]) {
      shapes[try #require(tensor["name"] as? String)] = tensor["shape"] as? [Int]
    }
    let metadata = try #require(report["metadata"] as? [[String: Any]])
    let architecture = try #require(report["architecture"] as? String)
    func number(_ key: String) throws -> Int {
      let entry = metadata.first { $0["key"] as? String == "\(architecture).\(key)" }
      return try #require(entry?["value"] as? Int, "\(key)")
    }
    for layer in 0..<layerCount {
      func shape(_ name: String) -> [Int]? { shapes["blk.\(layer).\(name).weight"] }
      if let taps = shape("shortconv.conv") {
        bytesPerSequence += 4 * (taps[0] - 1) * taps[1]
      } else if let taps = shape("ssm_conv1d") {
        // A memory has a column for each element of a key, and a row for each of the inner width.
        let memory = try number("ssm.state_size") * number("ssm.inner_size")
        bytesPerSequence += 4 * ((taps[0] - 1) * taps[1] + memory)
      } else if let latent = shape("attn_kv_a_mqa") {
        bytesPerToken += 2 * latent[1]
      } else if let keys = shape("attn_k") {
        // Without values of their own, they are made of the keys and kept for themselves.
        bytesPerToken += 2 * (keys[1] + (shape("attn_v") ?? keys)[1])
      } else if let all = shape("attn_qkv"), let output = shape("attn_output") {
        bytesPerToken += 2 * (all[1] - output[0])
      }
    }
  }
}
