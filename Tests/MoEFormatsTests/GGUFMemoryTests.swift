import Foundation
import MoEFormats
import MoETestSupport
import Testing

/// A hostile header must not cost much more memory than it has bytes.
@Suite struct GGUFMemoryTests {
  /// Headers that take the most memory for their size, each of some 4 MiB.
  static let amplifiers: [String: @Sendable () -> [UInt8]] = [
    "an array of bytes": { array(type: 0, Array(repeating: 1, count: byteCount), of: 1) },
    "an array of booleans": { array(type: 7, Array(repeating: 1, count: byteCount), of: 1) },
    "an array of empty strings": { array(type: 8, Array(repeating: 0, count: byteCount), of: 8) },
    "an array of empty arrays of strings": {
      let empty = Samples.integer(UInt32(8)) + Samples.integer(UInt64(0))
      return array(type: 9, repeating(empty), of: 12)
    },
    "an array of numbers": { array(type: 4, Array(repeating: 1, count: byteCount), of: 4) },
    "an array of arrays of one byte": {
      let one = Samples.integer(UInt32(0)) + Samples.integer(UInt64(1)) + [7]
      return array(type: 9, repeating(one), of: 13)
    },
    "very many keys": {
      let entries = (0..<byteCount / 19).map {
        Samples.entry(Array(String($0 + 100_000).utf8), type: 0, [1])
      }
      return Samples.raw(keyCount: UInt64(entries.count), Array(entries.joined()))
    },
    "very many tensors": {
      let entries = (0..<byteCount / 42).map {
        Samples.tensor(String($0 + 1_000_000), [1], type: 24, offset: UInt64($0 * 32))
      }
      return Samples.raw(tensorCount: UInt64(entries.count), Array(entries.joined()))
    },
  ]
  private static let byteCount = 4 << 20

  private static func repeating(_ element: [UInt8]) -> [UInt8] {
    Array(repeatElement(element, count: byteCount / element.count).joined())
  }

  private static func array(type: UInt32, _ body: [UInt8], of elementByteCount: Int) -> [UInt8] {
    let count = UInt64(body.count / elementByteCount)
    let value = Samples.integer(type) + Samples.integer(count) + body
    return Samples.raw(keyCount: 1, Samples.entry([65], type: 9, value))
  }

  @Test(arguments: amplifiers.keys.sorted())
  func `memory stays within a small multiple of the header`(_ name: String) async throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "hostile.gguf")
    let amplifier = try #require(Self.amplifiers[name])
    let bytes = amplifier()
    try Data(bytes).write(to: url)
    // A hole in place of weights, for the tensors that the header lists.
    if name == "very many tensors" {
      let file = try FileHandle(forUpdating: url)
      let tensorCount = Self.byteCount / 42
      try file.truncate(atOffset: UInt64((bytes.count + 31) / 32 * 32 + (tensorCount - 1) * 32 + 1))
      try file.close()
    }

    let small = folder.url.appending(path: "small.gguf")
    try Data(Self.array(type: 7, [0, 1], of: 1)).write(to: small)
    let (path, smallPath, byteCount) = (url.path, small.path, bytes.count)
    await #expect(processExitsWith: .success, "\(name)") {
      [path = path as String, smallPath = smallPath as String, byteCount = byteCount as Int] in
      // The reader's code is in memory before anything is measured.
      #expect(try GGUFFile(path: smallPath).metadata.keys == ["A"])
      let before = try AddressSpace.residentByteCount
      try AddressSpace.resetPeak()
      let file = try GGUFFile(path: path)
      let growth = try AddressSpace.peakByteCount - before
      #expect(file.metadata.keys.count + file.tensors.count > 0)
      // Arrays stay as they are; keys and tensors become entries of tables.
      let isArray = file.metadata.keys == ["A"]
      #expect(
        growth < (isArray ? byteCount + 4 << 20 : 16 * byteCount),
        "\(growth) bytes for \(byteCount)")
    }
    withExtendedLifetime(folder) {}
  }
}
