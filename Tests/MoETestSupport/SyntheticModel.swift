package import Foundation
package import MoEFormats

/// A complete Mixture-of-Experts model with random weights: the metadata, tensor names, shapes and
/// tokenizer of a real one, so that every part of the program can load and run it.
///
/// Matrices are Gaussian with variance 1 / columns, and what attention and experts add to the
/// residual stream is scaled by the depth, so activations stay near one at any depth. The same
/// description gives the same file, byte for byte.
package struct SyntheticModel: Sendable {
  package enum Architecture: String, Sendable, CaseIterable {
    case olmoe, qwen3moe
  }

  /// The element format of each kind of matrix; norms and routers are always F32.
  package struct Formats: Sendable {
    package var embedding, attention, expertGate, expertUp, expertDown, output: GGMLType

    /// One format for all: F32, F16, BF16, Q8_0, Q4_K or Q6_K.
    package init(_ type: GGMLType) {
      (embedding, attention, expertGate) = (type, type, type)
      (expertUp, expertDown, output) = (type, type, type)
    }

    /// The usual four-bit mix: Q6_K for the output and the experts' down projection, else Q4_K.
    package static var fourBit: Formats {
      var formats = Formats(.q4_K)
      (formats.expertDown, formats.output) = (.q6_K, .q6_K)
      return formats
    }
  }

  package var architecture: Architecture
  package var layerCount = 2
  package var hiddenSize = 64
  package var headCount = 4
  package var keyValueHeadCount = 2
  package var headDimension = 16
  package var expertCount = 8
  package var expertsPerToken = 2
  package var expertWidth = 32
  package var vocabularySize = 512
  package var contextLength = 256
  package var formats = Formats(.f32)
  package var seed: UInt64 = 1

  /// A model of some 800 KB; change what a test is about. Rows must be whole blocks of the formats:
  /// the K formats need widths that are multiples of 256.
  package init(_ architecture: Architecture) {
    self.architecture = architecture
    // OLMoE has no grouped-query attention.
    if architecture == .olmoe { keyValueHeadCount = headCount }
  }

  /// Size of the file that `write` makes.
  package var estimatedByteCount: Int { layout().byteCount }

  package func write(to url: URL) throws { try layout(withWeights: true).write(to: url) }

  /// The header alone, with a hole in place of the weights: for what reads no weights.
  package func writeHeader(to url: URL) throws {
    let writer = layout()
    try Data(writer.header()).write(to: url)
    let file = try FileHandle(forUpdating: url)
    try file.truncate(atOffset: UInt64(writer.byteCount))
    try file.close()
  }

  /// The model split in `count` files named `name-00001-of-0000N.gguf`; gives their places.
  package func writeShards(count: Int, named name: String, in folder: URL) throws -> [URL] {
    try layout(withWeights: true).writeShards(count: count, named: name, in: folder)
  }

  /// The whole file in memory.
  package func bytes() throws -> [UInt8] { try layout(withWeights: true).bytes() }

  private func layout(withWeights: Bool = false) -> GGUFWriter {
    var writer = GGUFWriter()
    writer.metadata = metadata + Self.tokenizer(vocabularySize: vocabularySize)
    writer.tensors = SyntheticTensors(self).tensors(withWeights: withWeights)
    return writer
  }

  private var metadata: [(key: String, value: GGUFValue)] {
    let name = architecture.rawValue
    func count(_ key: String, _ value: Int) -> (key: String, value: GGUFValue) {
      ("\(name).\(key)", .uint32(UInt32(value)))
    }
    var entries: [(key: String, value: GGUFValue)] = [
      ("general.architecture", .string(name)),
      ("general.name", .string("synthetic-\(name)")),
      ("general.quantization_version", .uint32(2)),
      count("context_length", contextLength),
      count("embedding_length", hiddenSize),
      count("block_count", layerCount),
      count(
        "feed_forward_length",
        architecture == .olmoe ? expertWidth : expertWidth * expertsPerToken),
      count("attention.head_count", headCount),
      count("attention.head_count_kv", keyValueHeadCount),
      count("attention.key_length", headDimension),
      count("attention.value_length", headDimension),
      ("\(name).attention.layer_norm_rms_epsilon", .float32(architecture == .olmoe ? 1e-5 : 1e-6)),
      ("\(name).rope.freq_base", .float32(architecture == .olmoe ? 1e4 : 1e6)),
      count("vocab_size", vocabularySize),
      count("expert_count", expertCount),
      count("expert_used_count", expertsPerToken),
    ]
    if architecture == .qwen3moe {
      entries.append(count("expert_feed_forward_length", expertWidth))
    }
    return entries
  }
}
