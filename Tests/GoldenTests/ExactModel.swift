import Foundation
import MoECore
import MoEFormats
import MoEKernels
import MoESynthetic
import MoETestSupport

/// A golden model's file with all weights in F32: the file itself, or a copy whose quantised
/// weights have been widened, which goes with this object.
final class ExactModel {
  let path: String
  private let folder: TemporaryFolder?

  init(_ model: GoldenModel) throws {
    if model.isExact {
      path = model.modelPath
      folder = nil
      return
    }
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "model-f32.gguf")
    try Self.widened(model.modelPath).write(to: url)
    path = url.path
    self.folder = folder
  }

  private struct UnknownFormat: Error { let tensor: String }

  private static func widened(_ path: String) throws -> GGUFWriter {
    var writer = try GGUFWriter(copyOf: path)
    let file = try GGUFFile(path: path)
    let contents = try Data(contentsOf: URL(fileURLWithPath: path))
    writer.tensors = try file.tensors.map { tensor in
      guard let format = QuantFormat(ggmlType: tensor.formatID) else {
        throw UnknownFormat(tensor: tensor.name)
      }
      let start = contents.startIndex + tensor.extent.offset
      let floats = format.floats(Array(contents[start..<start + tensor.extent.byteCount]))
      return GGUFWriter.Tensor(
        tensor.name, .f32, tensor.shape, bytes: unsafe floats.withUnsafeBytes { unsafe Array($0) })
    }
    return writer
  }
}
