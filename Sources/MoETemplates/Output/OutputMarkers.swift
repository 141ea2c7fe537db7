/// Finds markers in text that comes byte by byte.
///
/// Bytes that could be the beginning of a marker are held back, fewer than the longest marker has.
/// No marker may begin with another one, so that each is found as soon as it is complete.
struct OutputMarkers: Sendable {
  private let markers: [[UInt8]]
  private let isFirstByte: [Bool]
  private(set) var held: [UInt8] = []

  init(_ texts: [String]) {
    markers = texts.map { Array($0.utf8) }
    var isFirstByte = [Bool](repeating: false, count: 256)
    for marker in markers {
      guard let first = marker.first else { continue }
      isFirstByte[Int(first)] = true
    }
    self.isFirstByte = isFirstByte
    assert(
      markers.indices.allSatisfy { index in
        markers.indices.allSatisfy {
          $0 == index || !markers[$0].starts(with: markers[index])
        }
      })
  }

  /// Takes one byte. Appends to `text` what has turned out to be no marker, and returns the number
  /// of the marker that the byte completes, which comes after that text.
  mutating func read(_ byte: UInt8, text: inout [UInt8]) -> Int? {
    if held.isEmpty && !isFirstByte[Int(byte)] {
      text.append(byte)
      return nil
    }
    held.append(byte)
    while !held.isEmpty {
      if let index = markers.firstIndex(where: { $0.starts(with: held) }) {
        guard markers[index].count == held.count else { return nil }
        held.removeAll(keepingCapacity: true)
        return index
      }
      text.append(held.removeFirst())
    }
    return nil
  }

  /// Gives what is held back, at the end of the text.
  mutating func finish(text: inout [UInt8]) {
    text.append(contentsOf: held)
    held.removeAll(keepingCapacity: true)
  }
}
