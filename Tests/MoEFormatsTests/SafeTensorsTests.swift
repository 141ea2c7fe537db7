import Foundation
import MoECore
import MoEFormats
import MoETestSupport
import Testing

@Suite struct SafeTensorsTests {
  private static func file(_ header: String, dataByteCount: Int = 64) -> [UInt8] {
    unsafe withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { unsafe Array($0) }
      + Array(header.utf8)
      + [UInt8](repeating: 0, count: dataByteCount)
  }

  private static let valid = """
    {"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]},
    "a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}
    """

  @Test func tensorsAreListedByTheirPlace() throws {
    let bytes = Self.file(Self.valid)
    let header = try SafeTensorsHeader(bytes: bytes)
    #expect(header.tensors.map(\.name) == ["a", "b"])
    #expect(header.tensors.map(\.shape) == [[4], [2, 3]])
    #expect(header.tensors.map(\.offset) == [header.byteCount, header.byteCount + 8])
    #expect(header.tensors.map(\.byteCount) == [8, 24])
  }

  @Test(arguments: [
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, FormatError.Kind.malformed),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[60,68]}}"#, .truncated),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, .malformed),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, .malformed),
    (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, .malformed),
    (#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#, .malformed),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#, .malformed),
    (#"{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}"#, .unsupported),
    (#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, .unsupported),
    (#"{"a":{"dtype":"F32","shape":[2]}}"#, .malformed),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}"#, .malformed),
    (#"{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}"#, .malformed),
    (#"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#, .malformed),
    (
      #"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"#
        + #""b":{"dtype":"U8","shape":[8],"data_offsets":[7,15]}}"#, .malformed
    ),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
        + #""a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, .malformed
    ),
    (#"{"a":[1]}"#, .malformed), (#"{"a":1"#, .malformed), ("{}x", .malformed),
    ("{\"a\":" + String(repeating: "[", count: 100_000), .malformed),
  ])
  func headersThatPromiseTooMuchAreRefused(header: String, kind: FormatError.Kind) throws {
    let error = try #require(throws: FormatError.self) {
      try SafeTensorsHeader(bytes: Self.file(header))
    }
    #expect(error.kind == kind, "\(error)")
    #expect(!error.description.contains("\n"))
  }

  @Test func lengthsOfHeadersAreChecked() throws {
    for length in [UInt64.max, 1 << 40, 1 << 20] {
      var bytes = Self.file(Self.valid)
      let field = unsafe withUnsafeBytes(of: length.littleEndian) { unsafe Array($0) }
      bytes.replaceSubrange(0..<8, with: field)
      #expect(throws: FormatError.self) { try SafeTensorsHeader(bytes: bytes) }
    }
    for count in 0..<8 {
      #expect(throws: FormatError.self) {
        try SafeTensorsHeader(bytes: Array(Self.file(Self.valid).prefix(count)))
      }
    }
  }

  /// Damaged headers are refused or sound; `MOE_FUZZ_SEED` and `MOE_FUZZ_ITERATIONS` say which.
  @Test func damagedHeadersAreRefusedOrSound() async throws {
    let (seed, iterations) = (Fuzz.firstSeed, UInt64(Fuzz.iterationCount(4000)))
    await #expect(
      processExitsWith: .success, "MOE_FUZZ_SEED=\(seed) MOE_FUZZ_ITERATIONS=\(iterations)"
    ) { [seed = seed as UInt64, iterations = iterations as UInt64] in
      let original = Self.file(Self.valid)
      let pieces = [
        "0", "9", "-", "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "e99",
        "18446744073709551616",
        "9223372036854775807", "null", "true", "\u{0}", "ÿ",
      ].map { Array($0.utf8) }
      var (accepted, refused) = (0, 0)
      for iteration in 0..<iterations {
        var generator = SeededGenerator(seed: seed &+ iteration)
        var bytes = original
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
          let place = Int.random(in: 0..<bytes.count, using: &generator)
          switch Int.random(in: 0..<4, using: &generator) {
          case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
          case 1: bytes.insert(contentsOf: pieces.randomElement(using: &generator)!, at: place)
          case 2: bytes.removeSubrange(place..<min(bytes.count, place + 4))
          default: bytes = Array(bytes.prefix(max(1, place)))
          }
        }
        do {
          let header = try SafeTensorsHeader(bytes: bytes)
          accepted += 1
          var end = header.byteCount
          for tensor in header.tensors {
            let count = tensor.elementType.byteCount(shape: tensor.shape)
            try #require(
              tensor.offset >= end && tensor.byteCount == count, "seed \(seed &+ iteration)")
            end = tensor.offset + tensor.byteCount
          }
          try #require(end <= bytes.count, "seed \(seed &+ iteration)")
        } catch is FormatError {
          refused += 1
        }
      }
      if iterations >= 1000 { #expect(accepted > 0 && refused > 0) }
    }
  }
}
