import MoECore

/// A zip file in memory, its members stored without compression: an `.npz` that NumPy reads.
struct ZipWriter {
  /// Sizes and offsets have 32 bits; headers and names of a few members need less than the rest.
  static let byteCountMax = Int(UInt32.max) - (64 << 10)

  private var members: [UInt8] = []
  private var directory: [UInt8] = []
  private var count: UInt16 = 0

  /// - Parameter contents: At most `byteCountMax`, with all members together.
  mutating func add(_ name: String, _ contents: [UInt8]) {
    let offset = UInt32(members.count)
    let fields = Self.fields(name, contents)
    members.append(littleEndian: 0x0403_4B50 as UInt32)
    members += fields
    members += Array(name.utf8) + contents
    directory.append(littleEndian: 0x0201_4B50 as UInt32)
    directory.append(littleEndian: 20 as UInt16)
    directory += fields
    // No comment, first disk, no attributes.
    directory += [UInt8](repeating: 0, count: 10)
    directory.append(littleEndian: offset)
    directory += Array(name.utf8)
    count += 1
  }

  /// The whole file.
  func bytes() -> [UInt8] {
    var end: [UInt8] = []
    end.append(littleEndian: 0x0605_4B50 as UInt32)
    end += [0, 0, 0, 0]
    end.append(littleEndian: count)
    end.append(littleEndian: count)
    end.append(littleEndian: UInt32(directory.count))
    end.append(littleEndian: UInt32(members.count))
    end += [0, 0]
    return members + directory + end
  }

  /// What the headers before a member and in the directory have in common.
  private static func fields(_ name: String, _ contents: [UInt8]) -> [UInt8] {
    var fields: [UInt8] = []
    // Version 2.0; no flags; stored; midnight of 1980-01-01, so that equal traces are equal files.
    for value in [20, 0, 0, 0, 0x21] as [UInt16] { fields.append(littleEndian: value) }
    fields.append(littleEndian: CRC32(contents).value)
    fields.append(littleEndian: UInt32(contents.count))
    fields.append(littleEndian: UInt32(contents.count))
    fields.append(littleEndian: UInt16(name.utf8.count))
    fields.append(littleEndian: 0 as UInt16)
    return fields
  }
}
