import Foundation
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport

/// A small model of one file whose 32-bit weights a test gives, with everything that runs it.
struct HandmadeModel {
  let model: SimulatedModel
  private let team: WorkerTeam
  private let experts: ResidentExperts

  /// - Parameters:
  ///   - weights: All elements of a tensor, innermost first, or nil: they stay as they are.
  ///   - change: Of what the file says of the model; its tensors stay.
  init(
    _ shape: SyntheticModel, weights: (TensorDescriptor) throws -> [Float]?,
    change: (inout ModelDescription) -> Void = { _ in }
  ) throws {
    var bytes = try shape.bytes()
    for tensor in try GGUFHeader(bytes: bytes, path: "handmade.gguf").tensors {
      guard let values = try weights(tensor) else { continue }
      var written: [UInt8] = []
      for value in values { written.appendLittleEndian(value.bitPattern) }
      precondition(written.count == tensor.extent.byteCount, "\(tensor.name) is of 32-bit floats")
      bytes.replaceSubrange(
        tensor.extent.offset..<tensor.extent.offset + tensor.extent.byteCount, with: written)
    }
    model = try SimulatedModel([bytes], change: change)
    team = try WorkerTeam(workerCount: 2)
    experts = try ResidentExperts(
      model.tensors.experts,
      reader: try ExtentReader(
        backend: MemoryBackend(contents: model.contents, depth: 4), files: model.files),
      team: team)
  }

  func decoder(chunk: Int, contextLength: Int, kvType: KVType = .f32) throws -> Decoder {
    try model.decoder(
      experts, team: team, chunk: chunk, contextLength: contextLength, kvType: kvType,
      tileRowCount: chunk)
  }

  /// The elements of a tensor, innermost first.
  func values(_ name: String) throws -> [Float] {
    let header = try GGUFHeader(bytes: model.contents[0], path: "handmade.gguf")
    guard let tensor = header.tensors.first(where: { $0.name == name }) else { return [] }
    let bytes = model.contents[0]
    return (0..<tensor.extent.byteCount / 4).map { index in
      let start = tensor.extent.offset + 4 * index
      let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
      return Float(bitPattern: bits)
    }
  }
}
