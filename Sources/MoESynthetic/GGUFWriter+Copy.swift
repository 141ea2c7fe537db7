import Foundation
package import MoECore
private import MoEFormats

extension GGUFWriter {
  /// A writer of what is in a model file, to be changed before it writes. Integers are written with
  /// 32 bits where they fit, numbers as 32-bit floats.
  package init(copyOf path: String) throws {
    let file = try GGUFFile(path: path)
    let contents = try file.files.map { try Data(contentsOf: URL(fileURLWithPath: $0.path)) }
    self.init()
    metadata = try file.metadata.keys.map { key in
      guard let value = file.value(forKey: key).map(GGUFValue.init) else {
        throw Unreadable(what: key)
      }
      return (key, value)
    }
    tensors = try file.tensors.map { tensor in
      guard let type = GGMLType(id: tensor.formatID) else { throw Unreadable(what: tensor.name) }
      let extent = tensor.extent
      let bytes = contents[extent.fileIndex][extent.offset..<extent.offset + extent.byteCount]
      return Tensor(tensor.name, type, tensor.shape, bytes: [UInt8](bytes))
    }
  }

  /// Gives a key another value, or adds it.
  package mutating func set(_ key: String, _ value: GGUFValue) {
    metadata.removeAll { $0.key == key }
    metadata.append((key, value))
  }

  private struct Unreadable: Error { let what: String }
}

extension GGUFValue {
  /// What a reader made of a value, to be written again.
  package init(_ value: MetadataValue) {
    switch value {
    case .unsigned(let value): self = UInt32(exactly: value).map { .uint32($0) } ?? .uint64(value)
    case .signed(let value): self = Int32(exactly: value).map { .int32($0) } ?? .int64(value)
    case .float(let value): self = .float32(Float(value))
    case .bool(let value): self = .bool(value)
    case .string(let value): self = .string(value)
    case .bytes(let value): self = .bytes(value)
    case .array(let array): self = .array(Self.elements(array))
    }
  }

  private static func elements(_ array: MetadataArray) -> [GGUFValue] {
    switch array {
    case .unsigned(let values): values.map { .uint32(UInt32(clamping: $0)) }
    case .signed(let values): values.map { .int32(Int32(clamping: $0)) }
    case .float(let values): values.map { .float32($0) }
    case .double(let values): values.map { .float64($0) }
    case .bool(let values): values.map { .bool($0) }
    case .strings(let values): (0..<values.count).map { .bytes(Array(values[$0])) }
    case .nested(let values): values.map { .array(elements($0)) }
    }
  }
}
