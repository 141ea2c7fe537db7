import Foundation
import MoEFormats
import MoEModel
import MoETestSupport
import Testing

/// One model file of the golden folder, with the outputs that an independent implementation gave.
struct GoldenModel: Sendable, CustomTestStringConvertible {
  let name: String
  let modelPath: String
  let golden: SafeTensorsFile
  /// Whether weights are F32 or F16: activations are then not rounded, and bounds are tight.
  let isExact: Bool

  var testDescription: String { name }

  /// Sequences that the golden file holds logits of.
  var sequences: [Int] {
    (0..<16).filter { golden.entries["seq\($0).input_ids"] != nil }
  }

  func tokens(_ sequence: Int) throws -> [Int32] {
    try golden.integers("seq\(sequence).input_ids")
  }

  /// Every model file of the folder that the registry has an architecture for and whose formats
  /// have kernels; others wait for theirs.
  static let all: [GoldenModel] = {
    guard let folder = Goldens.directory?.appendingPathComponent("models"),
      let models = try? FileManager.default.contentsOfDirectory(
        at: folder, includingPropertiesForKeys: nil)
    else { return [] }
    return models.sorted { $0.path < $1.path }.flatMap(models(in:))
  }()

  private static func models(in folder: URL) -> [GoldenModel] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasPrefix("model-") && $0.hasSuffix(".gguf") }.sorted().compactMap {
      file in
      let path = folder.appendingPathComponent(file).path
      let type = String(file.dropFirst("model-".count).dropLast(".gguf".count))
      let typed = folder.appendingPathComponent("golden-\(type).safetensors")
      let plain = folder.appendingPathComponent("golden.safetensors")
      let url = FileManager.default.fileExists(atPath: typed.path) ? typed : plain
      guard let header = try? GGUFFile(path: path), isSupported(header),
        let golden = try? SafeTensorsFile(url)
      else { return nil }
      return GoldenModel(
        name: "\(folder.lastPathComponent) \(type)", modelPath: path, golden: golden,
        isExact: type.lowercased() == "f32")
    }
  }

  private static func isSupported(_ header: GGUFFile) -> Bool {
    guard ArchitectureRegistry.all.contains(where: { $0.name == header.architecture }) else {
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
