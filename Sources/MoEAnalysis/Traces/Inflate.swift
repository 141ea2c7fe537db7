/// Decompresses raw deflate data (RFC 1951), which is what compressed `.npz` members hold.
///
/// The bytes are untrusted: whatever they hold ends in `byteCount` bytes or in `InflateError`, and
/// no more than `byteCount` bytes are ever held.
package func inflate(
  _ bytes: ArraySlice<UInt8>, byteCount: Int
) throws(InflateError) -> [UInt8] {
  var reader = BitReader(bytes: bytes, position: bytes.startIndex, byteCountMax: byteCount)
  var output: [UInt8] = []
  var isLast = false
  while !isLast {
    isLast = try reader.bits(1) == 1
    switch try reader.bits(2) {
    case 0: try reader.copyStored(to: &output)
    case 1:
      let lengths = (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 }
      try reader.inflateBlock(
        literals: HuffmanCode(lengths: lengths),
        distances: HuffmanCode(lengths: [Int](repeating: 5, count: 30)), into: &output)
    case 2:
      let (literals, distances) = try reader.codes()
      try reader.inflateBlock(literals: literals, distances: distances, into: &output)
    default: throw InflateError()
    }
  }
  guard output.count == byteCount else { throw InflateError() }
  return output
}

package struct InflateError: Error {}

/// A canonical Huffman code: symbols in order of code length, and how many have each length.
private struct HuffmanCode {
  var counts = [Int](repeating: 0, count: 16)
  var symbols: [Int]

  init(lengths: [Int]) {
    for length in lengths { counts[length] += 1 }
    counts[0] = 0
    symbols = lengths.indices.filter { lengths[$0] > 0 }.sorted {
      (lengths[$0], $0) < (lengths[$1], $1)
    }
  }
}

private struct BitReader {
  let bytes: ArraySlice<UInt8>
  var position: Int
  /// Where the output ends, whatever the data say.
  let byteCountMax: Int
  var buffer = 0
  var bitCount = 0

  /// The next bits, the first one lowest.
  mutating func bits(_ count: Int) throws(InflateError) -> Int {
    while bitCount < count {
      guard position < bytes.endIndex else { throw InflateError() }
      buffer |= Int(bytes[position]) << bitCount
      position += 1
      bitCount += 8
    }
    defer {
      buffer >>= count
      bitCount -= count
    }
    return buffer & ((1 << count) - 1)
  }

  mutating func symbol(of code: HuffmanCode) throws(InflateError) -> Int {
    var (value, first, index) = (0, 0, 0)
    for length in 1..<16 {
      value |= try bits(1)
      let count = code.counts[length]
      if value - first < count { return code.symbols[index + value - first] }
      index += count
      first = (first + count) << 1
      value <<= 1
    }
    throw InflateError()
  }

  mutating func copyStored(to output: inout [UInt8]) throws(InflateError) {
    _ = try bits(bitCount & 7)
    let count = try bits(16)
    _ = try bits(16)
    guard output.count + count <= byteCountMax else { throw InflateError() }
    for _ in 0..<count { output.append(UInt8(try bits(8))) }
  }

  mutating func codes() throws(InflateError) -> (
    literals: HuffmanCode, distances: HuffmanCode
  ) {
    let literalCount = try bits(5) + 257
    let distanceCount = try bits(5) + 1
    let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    var lengths = [Int](repeating: 0, count: 19)
    for place in 0..<(try bits(4) + 4) { lengths[order[place]] = try bits(3) }
    let code = HuffmanCode(lengths: lengths)
    lengths = []
    while lengths.count < literalCount + distanceCount {
      switch try symbol(of: code) {
      case 16:
        guard let last = lengths.last else { throw InflateError() }
        lengths += [Int](repeating: last, count: try bits(2) + 3)
      case 17: lengths += [Int](repeating: 0, count: try bits(3) + 3)
      case 18: lengths += [Int](repeating: 0, count: try bits(7) + 11)
      case let length: lengths.append(length)
      }
    }
    guard lengths.count == literalCount + distanceCount else { throw InflateError() }
    return (
      HuffmanCode(lengths: Array(lengths[..<literalCount])),
      HuffmanCode(lengths: Array(lengths[literalCount...]))
    )
  }

  mutating func inflateBlock(
    literals: HuffmanCode, distances: HuffmanCode, into output: inout [UInt8]
  ) throws(InflateError) {
    while true {
      let symbol = try symbol(of: literals)
      if symbol < 256 {
        guard output.count < byteCountMax else { throw InflateError() }
        output.append(UInt8(symbol))
        continue
      }
      if symbol == 256 { return }
      guard symbol < 286 else { throw InflateError() }
      let length = try extended(symbol - 257, step: 4, first: 3, longest: 28)
      let distanceSymbol = try self.symbol(of: distances)
      guard distanceSymbol < 30 else { throw InflateError() }
      let distance = try extended(distanceSymbol, step: 2, first: 1, longest: 31)
      guard distance <= output.count, output.count + length <= byteCountMax else {
        throw InflateError()
      }
      for _ in 0..<length { output.append(output[output.count - distance]) }
    }
  }

  /// A length or distance: from the second group of `step` codes on, each group reads one bit more
  /// than the one before. The code `longest` stands for 258, the one length outside this pattern.
  private mutating func extended(
    _ code: Int, step: Int, first: Int, longest: Int
  ) throws(InflateError) -> Int {
    if step == 4 && code == longest { return 258 }
    let extraBits = max(code / step - 1, 0)
    let base = code < step ? code : (step + code % step) << extraBits
    return first + base + (try bits(extraBits))
  }
}
