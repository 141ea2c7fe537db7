import MoECache
import MoECore
import MoEExperts
import MoEFormats
import MoEKernels
import MoEModel
import MoEStore
import MoESynthetic
import MoETestSupport

/// A tiny model whose two files lie in memory, and everything that decoders over it share.
///
/// The second file gives the experts of some layers, in formats of its own, so that experts come in
/// several sizes and from several files.
final class SimulatedModel {
  let contents: [[UInt8]]
  let files: [StoreFile]
  let description: ModelDescription
  let tensors: ModelTensors
  private let memory: [AlignedCopy]
  private let vectors: AlignedBuffer
  private let transposed: AlignedBuffer
  private let weights: DecoderWeights

  /// - Parameter foreignLayers: Layers whose experts are those of `second`, a model of the same
  ///   shape.
  convenience init(
    _ first: SyntheticModel, _ second: SyntheticModel, foreignLayers: Set<Int>
  ) throws {
    try self.init([try first.bytes(), try second.bytes()], foreignLayers: foreignLayers)
  }

  /// - Parameters:
  ///   - contents: One or two whole files.
  ///   - change: Of what they say of the model; its tensors stay.
  init(
    _ contents: [[UInt8]], foreignLayers: Set<Int> = [],
    change: (inout ModelDescription) -> Void = { _ in }
  ) throws {
    let files = contents.enumerated().map {
      StoreFile(path: "part-\($0).gguf", byteCount: $1.count)
    }
    let headers = try zip(contents, files).map { try GGUFHeader(bytes: $0, path: $1.path) }
    self.contents = contents
    self.files = files
    func isForeign(_ name: String) -> Bool {
      foreignLayers.contains { name.hasPrefix("blk.\($0).ffn_") && name.contains("_exps.") }
    }
    let descriptors = headers.enumerated().flatMap { index, header in
      header.tensors.filter { isForeign($0.name) == (index == 1) }.map { tensor in
        var tensor = tensor
        tensor.extent.fileIndex = index
        return tensor
      }
    }
    let source = HeaderMetadata(sourceName: files[0].path, metadata: headers[0].metadata)
    var description = try ArchitectureRegistry.describe(metadata: source, tensors: descriptors)
    change(&description)
    self.description = description
    tensors = try ModelTensors(
      description: description, tensors: descriptors, file: source.sourceName)
    let memory = try contents.map { try AlignedCopy($0) }
    self.memory = memory
    let vectorCount = DecoderWeights.vectorElementCount(tensors)
    vectors = try AlignedBuffer(byteCount: vectorCount * 4)
    let transposedByteCount = DecoderWeights.transposedByteCount(tensors)
    transposed = try AlignedBuffer(byteCount: transposedByteCount)
    weights = DecoderWeights(
      tensors: tensors, vectors: vectors.floats(count: vectorCount),
      transposed: transposed.bytes(count: transposedByteCount)
    ) { memory[$0.extent.fileIndex].view($0.extent) }
  }

  /// A decoder over these dense weights and experts from elsewhere. It must not outlive the model.
  func decoder(
    _ experts: any ExpertSource, team: WorkerTeam, chunk: Int, contextLength: Int, kvType: KVType,
    sequenceCount: Int = 1, tileRowCount: Int = ScratchLayout.tileTokenCountMax,
    predictor: PredictorEntry = PredictorRegistry.defaultEntry
  ) throws -> Decoder {
    var description = description
    description.adapt(toContext: contextLength)
    return try Decoder(
      description: description, weights: weights, experts: experts, team: team,
      scratch: ScratchLayout(
        description: description, tensors: tensors, tokenCount: chunk, logitRowCount: chunk),
      states: StateLayout(
        description, contextLength: contextLength, sequenceCount: sequenceCount, type: kvType,
        tileRowCount: tileRowCount),
      predictor: predictor)
  }
}

/// A file's bytes in page-aligned memory, as kernels want them.
private final class AlignedCopy {
  private let buffer: AlignedBuffer

  init(_ bytes: [UInt8]) throws {
    buffer = try AlignedBuffer(byteCount: bytes.count)
    let target = buffer.bytes(count: bytes.count)
    unsafe bytes.withUnsafeBytes { source in
      guard let base = source.baseAddress else { return }
      unsafe target.pointer.copyMemory(from: base, byteCount: source.count)
    }
  }

  func view(_ extent: FileExtent) -> ByteView {
    buffer.bytes(atOffset: extent.offset, count: extent.byteCount)
  }
}

private struct HeaderMetadata: MetadataSource {
  let sourceName: String
  let metadata: GGUFMetadata

  func value(forKey key: String) -> MetadataValue? { metadata[key] }
}
