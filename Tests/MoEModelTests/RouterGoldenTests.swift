import Foundation
import MoECore
import MoEFormats
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

/// Router logits that independent implementations recorded, and what they made of them.
@Suite struct RouterGoldenTests {
  @Test(arguments: RouterFamily.golden.indices)
  func recordedLogitsGiveTheRecordedSelection(_ index: Int) throws {
    let family = RouterFamily.golden[index]
    let folder = try Goldens.require("models/\(family.name)")
    let golden = try SafeTensorsFile(folder.appending(path: "golden.safetensors"))
    let bound = try bound(folder)
    let file = try modelFile(folder)
    let keys = golden.entries.keys.filter { $0.hasSuffix(".logits") && $0.contains(".router.") }
    var checkedCount = 0
    for key in keys.sorted() {
      let prefix = key.dropLast("logits".count)
      let layer = try #require(Int(key.split(separator: ".")[2]))
      let bias = try floats("blk.\(layer).exp_probs_b.bias", in: file)
      // DeepSeek-V4's first layer takes experts by token.
      if family.description.hasSelectionBias && bias == nil && layer == 0 { continue }
      try check(
        family, golden, prefix: String(prefix), bound, bias: bias,
        scales: try floats("blk.\(layer).ffn_down_exps.scale", in: file))
      checkedCount += 1
    }
    #expect(checkedCount >= 3)
  }

  private func check(
    _ family: RouterFamily, _ golden: SafeTensorsFile, prefix: String, _ bound: Double,
    bias: [Float]?, scales: [Float]?
  ) throws {
    let (count, perToken) = (family.description.expertCount, family.description.expertsPerToken)
    let logits = try golden.floats(prefix + "logits")
    let experts = try golden.integers(prefix + "experts").map(Int.init)
    let weights = try golden.floats(prefix + "weights")
    let tokenCount = logits.count / count
    #expect(try golden.shape(prefix + "experts") == [tokenCount, perToken])
    let found = try RoutedTokens(
      (0..<tokenCount).map { Array(logits[$0 * count..<($0 + 1) * count]) },
      router: family.description, bias: bias, scales: scales)
    for token in 0..<tokenCount {
      let ranks = (0..<perToken).sorted { found.experts[token][$0] < found.experts[token][$1] }
      let what = "\(family.name), \(prefix) token \(token)"
      let first = token * perToken
      #expect(
        ranks.map { found.experts[token][$0] } == Array(experts[first..<first + perToken]),
        "\(what)")
      for (place, rank) in ranks.enumerated() {
        let difference = found.weights[token][rank] - weights[first + place]
        #expect(abs(Double(difference)) <= bound, "\(what)")
      }
    }
  }

  private func bound(_ folder: URL) throws -> Double {
    let data = try Data(contentsOf: folder.appending(path: "report.json"))
    let report = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let bounds = try #require(report["bounds"] as? [String: Double])
    return try #require(bounds["router_weights"])
  }

  private func modelFile(_ folder: URL) throws -> GGUFFile {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    let name = try #require(names.first { $0.hasPrefix("model-") && $0.hasSuffix(".gguf") })
    return try GGUFFile(path: folder.appending(path: name).path)
  }

  /// A vector of the model's; nil where it has none of that name.
  private func floats(_ name: String, in file: GGUFFile) throws -> [Float]? {
    guard let tensor = file.tensors.first(where: { $0.name == name }) else { return nil }
    #expect(tensor.formatID == 0)
    let handle = try FileHandle(forReadingFrom: URL(filePath: file.sourceName))
    defer { try? handle.close() }
    try handle.seek(toOffset: UInt64(tensor.extent.offset))
    let data = try #require(try handle.read(upToCount: tensor.extent.byteCount))
    return unsafe data.withUnsafeBytes { bytes in
      (0..<tensor.elementCount).map { index in
        unsafe bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
      }
    }
  }
}
