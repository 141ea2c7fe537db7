import MoECore
import MoESynthetic
import MoETestSupport
import Testing

@Suite struct SafeTensorsFileTests {
  private static func file(_ header: String, data: [UInt8]) -> [UInt8] {
    let length = UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8) + data
  }

  private static let valid = file(
    """
    {"__metadata__": {"made": "here"},
     "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
     "b": {"dtype": "U8", "shape": [3, 1], "data_offsets": [8, 11]},
     "c": {"dtype": "I32", "shape": [], "data_offsets": [11, 15]}}
    """, data: [0, 0, 128, 63, 0, 0, 0, 192, 7, 8, 9, 254, 255, 255, 255])

  @Test func readsTensorsOfEachType() throws {
    let file = try SafeTensorsFile(bytes: Self.valid, path: "test")
    #expect(file.entries.count == 3)
    #expect(try file.floats("a") == [1, -2])
    #expect(try file.bytes("b") == [7, 8, 9])
    #expect(try file.shape("b") == [3, 1])
    #expect(try file.integers("c") == [-2])
  }

  @Test func namesTheTensorThatIsMissingOrOfAnotherType() throws {
    let file = try SafeTensorsFile(bytes: Self.valid, path: "test")
    #expect(throws: SafeTensorsError.self) { try file.floats("d") }
    #expect(throws: SafeTensorsError.self) { try file.floats("b") }
  }

  @Test(arguments: [
    #"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 9]}}"#,
    #"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}"#,
    #"{"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}"#,
    #"{"a": {"dtype": "F32", "shape": [4611686018427387904, 8], "data_offsets": [0, 0]}}"#,
    #"{"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}"#,
    #"{"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}"#,
    #"{"a": 1}"#, "[]", "{",
  ])
  func refusesAHeaderThatDoesNotFit(_ header: String) {
    #expect(throws: SafeTensorsError.self) {
      try SafeTensorsFile(bytes: Self.file(header, data: Array(repeating: 0, count: 8)), path: "x")
    }
  }

  @Test func throwsOrSucceedsForMutatedFiles() {
    for seed in 1...2000 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      var bytes = Self.valid
      for _ in 0..<(1 + Int(generator.next() % 3)) {
        bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(
          truncatingIfNeeded: generator.next())
      }
      if generator.next() % 4 == 0 { bytes.removeLast(Int(generator.next() % 200) % bytes.count) }
      guard let file = try? SafeTensorsFile(bytes: bytes, path: "mutated") else { continue }
      for (name, entry) in file.entries {
        #expect(entry.byteRange.upperBound <= bytes.count, "seed \(seed)")
        _ = try? file.floats(name)
        _ = try? file.bytes(name)
      }
    }
  }
}
