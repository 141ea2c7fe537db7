package import MoEPlatform

/// A line of a file, without its line break.
package struct FileLine: Sendable, Equatable {
  /// From 1 on.
  package var number: Int
  package var offset: Int
  package var byteCount: Int
  /// Nil where there are more bytes than are read.
  package var content: [UInt8]?
  /// Whether a line break follows.
  package var isEnded: Bool

  package init(number: Int, offset: Int, byteCount: Int, content: [UInt8]?, isEnded: Bool) {
    self.number = number
    self.offset = offset
    self.byteCount = byteCount
    self.content = content
    self.isEnded = isEnded
  }

  /// Whether it has nothing but white space.
  package var isBlank: Bool {
    content?.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } ?? false
  }
}

/// Reads a file line by line, however long lines are, in a bounded memory.
package struct LineReader {
  private let read: (_ offset: Int, _ count: Int) throws(FileError) -> [UInt8]
  private let byteCountMax: Int
  private var block: [UInt8] = []
  private var blockOffset = 0
  /// In the block.
  private var position = 0
  private var number = 0

  private static let blockByteCount = 1 << 20

  /// - Parameter byteCountMax: Of the lines that are read.
  package init(
    byteCountMax: Int,
    read: @escaping (_ offset: Int, _ count: Int) throws(FileError) -> [UInt8]
  ) {
    self.byteCountMax = byteCountMax
    self.read = read
  }

  /// Nil at the end. A line break at the end of the file begins no line.
  package mutating func next() throws(FileError) -> FileLine? {
    guard try fill() else { return nil }
    number += 1
    var line = FileLine(
      number: number, offset: blockOffset + position, byteCount: 0, content: [], isEnded: false)
    repeat {
      let end = block[position...].firstIndex(of: 0x0A)
      let part = block[position..<(end ?? block.count)]
      line.byteCount += part.count
      if line.byteCount > byteCountMax { line.content = nil }
      line.content?.append(contentsOf: part)
      position += part.count
      if end != nil {
        position += 1
        line.isEnded = true
        break
      }
    } while try fill()
    return line
  }

  /// Sees to it that there is a byte; false at the end.
  private mutating func fill() throws(FileError) -> Bool {
    if position < block.count { return true }
    blockOffset += block.count
    position = 0
    block = try read(blockOffset, Self.blockByteCount)
    return !block.isEmpty
  }
}
