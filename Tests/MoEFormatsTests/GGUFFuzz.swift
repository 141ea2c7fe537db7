import Foundation
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// Valid headers, damaged at random: each must be refused or hold what a header promises.
///
/// `MOE_FUZZ_ITERATIONS` and `MOE_FUZZ_SEED` set how many and which. The runs are in a process of
/// their own, so that a trap is a failure of this test with its seed, and its address space is
/// bounded, so that an allocation by a damaged count is a trap.
@Suite struct GGUFFuzz {
  @Test func `damaged headers are refused or sound`() async throws {
    let seed = Fuzz.firstSeed
    let iterations = UInt64(Fuzz.iterationCount(4000))
    let folder = Goldens.directories.first?.path
    await #expect(
      processExitsWith: .success, "MOE_FUZZ_SEED=\(seed) MOE_FUZZ_ITERATIONS=\(iterations)"
    ) { [seed = seed as UInt64, iterations = iterations as UInt64, folder = folder as String?] in
      let corpus = try FuzzCorpus(goldens: folder)
      try AddressSpace.limit(toFurther: 64 << 20)
      var (accepted, refused) = (0, 0)
      for iteration in 0..<iterations {
        let runSeed = seed &+ iteration
        var generator = SeededGenerator(seed: runSeed)
        let file = corpus.files[Int(runSeed % UInt64(corpus.files.count))]
        let bytes = file.mutator.mutated(&generator)
        let fileByteCount = bytes.count + file.weightByteCount
        do {
          let header = try GGUFHeader(bytes: bytes, fileByteCount: fileByteCount)
          accepted += 1
          try #require(
            isSound(header, fileByteCount: fileByteCount),
            "MOE_FUZZ_SEED=\(runSeed) MOE_FUZZ_ITERATIONS=1, damaging \(file.name)")
        } catch is FormatError {
          refused += 1
        }
      }
      // Were all refused early, nothing behind the first check would have been tried.
      if iterations >= 1000 { #expect(accepted > 0 && refused > 0) }
    }
  }
}

/// Headers to damage: small ones that have everything, and those of real converters.
struct FuzzCorpus {
  struct File {
    let name: String
    let mutator: HeaderMutator
    /// Bytes that the file has behind its header.
    let weightByteCount: Int
  }

  let files: [File]

  /// `goldens` is the folder of reference models, if there is one.
  init(goldens: String?) throws {
    var nano = SyntheticModel(.qwen3moe)
    (nano.layerCount, nano.vocabularySize) = (1, 300)
    var files = [
      try Self.file("version 3", Samples.writer().bytes()),
      try Self.file("version 2", Samples.writer(version: 2, alignment: 64).bytes()),
      try Self.file("synthetic", nano.bytes()),
    ]
    if let goldens {
      for name in ["olmoe", "deepseek3", "gpt-oss"] {
        let path = "\(goldens)/models/\(name)/model-f32.gguf"
        guard let data = FileManager.default.contents(atPath: path) else { continue }
        files.append(try Self.file(name, [UInt8](data)))
      }
    }
    self.files = files
  }

  private static func file(_ name: String, _ bytes: [UInt8]) throws -> File {
    let header = try GGUFHeader(bytes: bytes)
    let names = header.metadata.keys + header.tensors.map(\.name)
    return File(
      name: name, mutator: HeaderMutator(Array(bytes[..<header.byteCount]), names: names),
      weightByteCount: bytes.count - header.byteCount)
  }
}
