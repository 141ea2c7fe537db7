package import Foundation
package import MoEFormats

/// Writes GGUF files for tests: any metadata, tensors streamed chunk by chunk.
///
/// It shares no code with the reader, so that a round trip compares two opinions of the format.
package struct GGUFWriter: Sendable {
  package var version: UInt32 = 3
  package var metadata: [(key: String, value: GGUFValue)] = []
  package var tensors: [Tensor] = []
  /// Written as `general.alignment` where it is not the default.
  package var alignment = 32

  package struct Tensor: Sendable {
    package var name: String
    package var type: GGMLType
    /// Innermost extent first.
    package var shape: [Int]
    /// Hands the tensor's bytes on in chunks, in order; together exactly `byteCount`.
    package var produce: @Sendable (_ emit: ([UInt8]) throws -> Void) throws -> Void

    package init(
      _ name: String, _ type: GGMLType, _ shape: [Int],
      produce: @escaping @Sendable (_ emit: ([UInt8]) throws -> Void) throws -> Void
    ) {
      self.name = name
      self.type = type
      self.shape = shape
      self.produce = produce
    }

    /// A tensor of given bytes.
    package init(_ name: String, _ type: GGMLType, _ shape: [Int], bytes: [UInt8]) {
      self.init(name, type, shape) { try $0(bytes) }
    }

    package var byteCount: Int {
      guard let count = type.byteCount(shape: shape) else {
        preconditionFailure("\(name): \(shape) is not in whole blocks of \(type)")
      }
      return count
    }
  }

  package init() {}

  /// Everything before the padding that precedes the tensor data.
  package func header() -> [UInt8] {
    var entries = metadata
    if alignment != 32 { entries.append(("general.alignment", .uint32(UInt32(alignment)))) }
    var output = Array("GGUF".utf8)
    output.appendLittleEndian(version)
    output.appendLittleEndian(UInt64(tensors.count))
    output.appendLittleEndian(UInt64(entries.count))
    for (key, value) in entries {
      output.appendGGUFString(Array(key.utf8))
      output.appendLittleEndian(value.typeID)
      value.append(to: &output)
    }
    var offset = 0
    for tensor in tensors {
      output.appendGGUFString(Array(tensor.name.utf8))
      output.appendLittleEndian(UInt32(tensor.shape.count))
      for extent in tensor.shape { output.appendLittleEndian(UInt64(extent)) }
      output.appendLittleEndian(tensor.type.id)
      output.appendLittleEndian(UInt64(offset))
      offset += padded(tensor.byteCount)
    }
    return output
  }

  /// Size of the file that `write` makes.
  package var byteCount: Int {
    padded(header().count) + tensors.reduce(0) { $0 + padded($1.byteCount) }
  }

  /// The whole file in memory.
  package func bytes() throws -> [UInt8] {
    var output: [UInt8] = []
    try emit { output += $0 }
    return output
  }

  package func write(to url: URL) throws {
    _ = FileManager.default.createFile(atPath: url.path, contents: nil)
    let file = try FileHandle(forWritingTo: url)
    defer { try? file.close() }
    try emit { try file.write(contentsOf: Data($0)) }
  }

  /// Writes `name-00001-of-0000N.gguf` and so on, tensors dealt evenly in order; all metadata in
  /// the first. Gives the shards' places.
  package func writeShards(count: Int, named name: String, in folder: URL) throws -> [URL] {
    try (0..<count).map { index in
      var shard = self
      shard.metadata = index == 0 ? metadata : []
      shard.metadata += [
        ("split.no", .uint16(UInt16(index))), ("split.count", .uint16(UInt16(count))),
        ("split.tensors.count", .int32(Int32(tensors.count))),
      ]
      let bounds = (tensors.count * index / count)..<(tensors.count * (index + 1) / count)
      shard.tensors = Array(tensors[bounds])
      let file = String(format: "-%05d-of-%05d.gguf", index + 1, count)
      let url = folder.appending(path: name + file)
      try shard.write(to: url)
      return url
    }
  }

  package func emit(_ emit: ([UInt8]) throws -> Void) throws {
    let header = header()
    try emit(header + padding(header.count))
    for tensor in tensors {
      var count = 0
      try tensor.produce {
        count += $0.count
        try emit($0)
      }
      precondition(count == tensor.byteCount, "\(tensor.name): \(count) bytes were produced")
      try emit(padding(count))
    }
  }

  private func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  private func padding(_ count: Int) -> [UInt8] {
    Array(repeating: 0, count: padded(count) - count)
  }
}
