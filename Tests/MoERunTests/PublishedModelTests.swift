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

  /// Those of families that run here.
  private static let names = PublishedHeaders.names.filter { name in
    (try? expected(name)).map {
      ArchitectureRegistry.entry(named: $0.architecture) != nil
    } ?? true
  }

  private static func expected(_ name: String) throws -> Description.Expected {
    let folder = try #require(PublishedHeaders.directory)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      Description.self, from: Data(contentsOf: folder.appending(path: name + ".json"))
    ).expected
  }

  @Test(arguments: names) func aPublishedModelIsDescribed(_ name: String) async throws {
    let wanted = try Self.expected(name)
    let folder = try TemporaryFolder()
    let urls = try PublishedHeaders.write(name, to: folder.url)
    let path = try #require(urls.first).path
    let report = try await Program.run("inspect", "--json", path).json()
    #expect(report["architecture"] as? String == wanted.architecture)
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

    // A format without kernels and a tokenizer's way are refused by their names, nothing else is.
    if let obstacle = report["obstacle"] as? String {
      #expect(
        obstacle.contains("element format") || obstacle.contains("tokenizer.ggml"), "\(obstacle)")
      return
    }
    let plan = try await Program.run("plan", "--json", path, "--probe", "none").json()
    #expect(plan["layers"] as? Int == wanted.layers)
    #expect(
      (plan["experts_per_layer"] as? [Int])?.filter { $0 == wanted.experts }.count
        == wanted.moeLayers)
    // Experts of layers that predict further tokens are in the file and are not read.
    if wanted.nextnLayers == 0 { #expect(plan["expert_bytes"] as? Int == wanted.expertBytes) }
    withExtendedLifetime(folder) {}
  }
}
