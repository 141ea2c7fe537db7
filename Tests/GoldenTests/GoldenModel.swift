import Foundation
import MoEFormats
import MoEModel
import MoETestSupport
import Testing

/// One model file of the golden folders, with the outputs that an independent implementation gave.
struct GoldenModel: Sendable, CustomTestStringConvertible {
  /// How far from the reference a run in float32 may be: three times what two implementations or
  /// two precisions differ by. The golden's own report says it.
  struct Bounds: Sendable, Decodable {
    var logits, kl, hidden, routerLogits, routerWeights: Double

    private enum CodingKeys: String, CodingKey {
      case logits, kl, hidden
      case routerLogits = "router_logits"
      case routerWeights = "router_weights"
    }

    /// What F32 models without anything special have.
    static let usual = Bounds(
      logits: 1e-4, kl: 1e-7, hidden: 5e-5, routerLogits: 5e-5, routerWeights: 1e-5)
  }

  let name: String
  let architecture: String
  let modelPath: String
  let golden: SafeTensorsFile
  let bounds: Bounds
  /// Whether all weights are F32: activations are then not rounded.
  let isExact: Bool
  /// Whether rounded activations turn a router's choice, as the report says of the reference's own
  /// run on the quantised weights: only the exact run then tells anything.
  let flipsExperts: Bool

  var testDescription: String { name }

  /// Sequences that the golden file holds logits of.
  var sequences: [Int] {
    (0..<16).filter { golden.entries["seq\($0).input_ids"] != nil }
  }

  func tokens(_ sequence: Int) throws -> [Int32] {
    try golden.integers("seq\(sequence).input_ids")
  }

  /// Every model file of the folders that the registry has an architecture for and whose formats
  /// have kernels; others wait for theirs. A file of these that cannot be read is a failure.
  static let all: [GoldenModel] = Goldens.models.flatMap { folder in
    do {
      return try models(in: folder)
    } catch {
      Issue.record("\(folder.path): \(error)")
      return []
    }
  }

  /// What a folder's report says; where it has files of several types, of each.
  private struct Report: Decodable {
    struct Run: Decodable { var experts_identical: [Bool] }

    var bounds: Bounds?
    var hf_vs_llamacpp_quantised: Run?

    var flipsExperts: Bool {
      hf_vs_llamacpp_quantised?.experts_identical.contains(false) ?? false
    }
  }

  private static func report(_ url: URL, type: String) throws -> Report {
    let data = try Data(contentsOf: url)
    if let typed = try? JSONDecoder().decode([String: Report].self, from: data)[type] {
      return typed
    }
    return try JSONDecoder().decode(Report.self, from: data)
  }

  private static func models(in folder: URL) throws -> [GoldenModel] {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return try files.filter { $0.hasPrefix("model-") && $0.hasSuffix(".gguf") }.sorted()
      .compactMap { file in
        let path = folder.appendingPathComponent(file).path
        let header = try GGUFFile(path: path)
        guard let architecture = header.architecture, isSupported(header) else { return nil }
        let type = String(file.dropFirst("model-".count).dropLast(".gguf".count))
        let typed = folder.appendingPathComponent("golden-\(type).safetensors")
        let plain = folder.appendingPathComponent("golden.safetensors")
        let url = FileManager.default.fileExists(atPath: typed.path) ? typed : plain
        let report = try report(folder.appendingPathComponent("report.json"), type: type)
        return GoldenModel(
          name: "\(folder.lastPathComponent) \(type)", architecture: architecture,
          modelPath: path, golden: try SafeTensorsFile(url), bounds: report.bounds ?? .usual,
          isExact: type.lowercased().hasPrefix("f32"), flipsExperts: report.flipsExperts)
      }
  }

  private static func isSupported(_ header: GGUFFile) -> Bool {
    guard ArchitectureRegistry.entry(named: header.architecture ?? "") != nil else {
      return false
    }
    do {
      _ = try ModelTensors(
        description: try ArchitectureRegistry.describe(
          metadata: header, tensors: header.tensors),
        tensors: header.tensors, file: header.sourceName)
      return true
    } catch ModelError.unsupportedFormat {
      return false
    } catch {
      // Whatever else is wrong with a supported architecture's file, its test must show it.
      return true
    }
  }
}
