import Foundation
import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

@Suite struct RoutingTraceTests {
  private let values: [Int16] = [0, 3, 1, 2, 3, 0, 2, 1, 0, 1, 2, 3]

  private func problem(_ archive: [UInt8]) -> String? {
    do throws(RoutingTraceError) {
      _ = try RoutingTrace(archive: archive, name: "a.npz")
      return nil
    } catch {
      return error.description
    }
  }

  @Test func readsWhatWasWritten() throws {
    let trace = try RoutingTrace(
      archive: NumpyArchive.experts(values, shape: [3, 2, 2]), name: "a.npz")
    #expect(trace.tokenCount == 3 && trace.layerCount == 2 && trace.expertsPerToken == 2)
    #expect(trace.experts == values.map { Int32($0) })
    #expect(Array(trace.selection(token: 1, layer: 1)) == [2, 1])
    #expect(trace.expertCount == 4)
  }

  /// Raw deflate data of zlib, with fixed codes.
  @Test func inflatesWhatZlibCompressed() throws {
    let data: [UInt8] = [75, 76, 74, 86, 72, 68, 96, 69, 0]
    let text = Array("abc abc abc abc!".utf8)
    #expect(try inflate(data[...], byteCount: text.count) == text)
    for byteCount in [0, 1, text.count - 1, text.count + 1, 1 << 40] {
      #expect(throws: InflateError.self) { try inflate(data[...], byteCount: byteCount) }
    }
    for end in data.indices {
      #expect(throws: InflateError.self) { try inflate(data[..<end], byteCount: text.count) }
    }
  }

  @Test(arguments: [
    ([UInt8](), "not a zip file"), (Array("PK".utf8), "not a zip file"),
    (Array(repeating: UInt8(0x50), count: 100_000), "not a zip file"),
    (NumpyArchive.zip(name: "weights.npy", contents: [1]), "no array 'experts'"),
    (NumpyArchive.zip(name: "experts.npy", contents: [1, 2, 3]), "not a NumPy array"),
    (NumpyArchive.experts([1, 2], shape: [2]), "must have the shape"),
    (NumpyArchive.experts([], shape: [0, 1, 1]), "none of them 0"),
    (NumpyArchive.experts([1, 2], shape: [3, 1, 1]), "do not fill the shape"),
    (NumpyArchive.experts([1], shape: [1, 1, 1], type: "<f4"), "int16 or int32"),
    (NumpyArchive.experts([-1], shape: [1, 1, 1]), "an expert below 0"),
    (
      NumpyArchive.experts([1], shape: [1 << 40, 1 << 40, 1]), "is impossible"
    ),
    (
      NumpyArchive.zip(name: "experts.npy", contents: [], deflated: [75], byteCount: 1 << 31),
      "at most"
    ),
    (
      NumpyArchive.zip(name: "experts.npy", contents: [], deflated: [7, 7, 7], byteCount: 8),
      "are damaged"
    ),
  ])
  func refusesWhatIsNoTraceInOneSentence(_ archive: [UInt8], _ what: String) throws {
    let text = try #require(problem(archive))
    #expect(text.hasPrefix("a.npz ") && text.contains(what), "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test func noDamageTrapsOrGoesUnnoticedUnderFuzz() throws {
    let good = NumpyArchive.experts(values, shape: [3, 2, 2])
    let trace = try RoutingTrace(archive: good, name: "a.npz")
    for end in good.indices { #expect(problem(Array(good[..<end])) != nil) }
    for seed in Fuzz.seeds(5000) {
      var random = SeededGenerator(seed: seed)
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
          in: .min ... .max, using: &random)
      }
      // The checksum catches whatever changes the numbers; names and dates may change.
      if let found = try? RoutingTrace(archive: bytes, name: "a.npz") {
        #expect(found.experts == trace.experts, "seed \(seed)")
      }
    }
  }

  @Test func damagedCompressedDataNeverTrapsUnderFuzz() throws {
    let good: [UInt8] = [75, 76, 74, 86, 72, 68, 96, 69, 0]
    for seed in Fuzz.seeds(20_000) {
      var random = SeededGenerator(seed: seed)
      var bytes = good + (0..<40).map { _ in UInt8.random(in: .min ... .max, using: &random) }
      if seed % 2 == 0 { bytes = Array(bytes.dropFirst(good.count)) }
      let limit = Int.random(in: 0...1000, using: &random)
      if let output = try? inflate(bytes[...], byteCount: limit) {
        #expect(output.count == limit, "seed \(seed)")
      }
    }
  }

  @Test func refusesTracesOfOtherModels() throws {
    let trace = RoutingTrace(layerCount: 2, expertsPerToken: 2, experts: [0, 1, 2, 3])
    try trace.check(layerCount: 2, expertCount: 4, expertsPerToken: 2, name: "a")
    try trace.check(layerCount: 2, expertCount: 64, expertsPerToken: 8, name: "a")
    for (layers, experts, perToken) in [(3, 4, 2), (2, 3, 2), (2, 4, 1)] {
      #expect(throws: RoutingTraceError.self) {
        try trace.check(
          layerCount: layers, expertCount: experts, expertsPerToken: perToken, name: "a")
      }
    }
  }
}
