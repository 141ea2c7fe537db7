package import Foundation

/// A file in the safetensors format, read whole: the form that goldens and fixtures come in.
///
/// Layout: 8 bytes little-endian header length, that many bytes of JSON (tensor name to `dtype`,
/// `shape` and `data_offsets` relative to the header's end), then the data.
package struct SafeTensorsFile: Sendable {
  package struct Entry: Sendable, Equatable {
    /// As in the file: `F32`, `I32`, `U8`, ...
    package let elementType: String
    package let shape: [Int]
    /// Bytes of the tensor, counted from the end of the header.
    package let byteRange: Range<Int>
  }

  package let path: String
  /// Every tensor by name.
  package let entries: [String: Entry]
  private let data: [UInt8]

  /// Throws `SafeTensorsError` where a length, offset or shape does not fit the file.
  package init(_ url: URL) throws {
    try self.init(bytes: [UInt8](Data(contentsOf: url)), path: url.path)
  }

  package init(bytes: [UInt8], path: String) throws {
    func malformed(_ reason: String) -> SafeTensorsError { SafeTensorsError(path, reason) }
    guard bytes.count >= 8 else { throw malformed("shorter than its 8-byte header length") }
    let headerCount = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[$1]) << (8 * $1) }
    guard headerCount <= UInt64(bytes.count - 8) else {
      throw malformed("a header of \(headerCount) bytes in a file of \(bytes.count)")
    }
    let dataStart = 8 + Int(headerCount)
    let json = try? JSONSerialization.jsonObject(with: Data(bytes[8..<dataStart]))
    guard let header = json as? [String: Any] else { throw malformed("header is no JSON object") }
    self.path = path
    data = Array(bytes[dataStart...])
    var entries: [String: Entry] = [:]
    for (name, value) in header where name != "__metadata__" {
      guard let entry = Entry(value, dataByteCount: data.count) else {
        throw malformed("tensor '\(name)' does not fit the file: \(value)")
      }
      entries[name] = entry
    }
    self.entries = entries
  }

  /// The elements of an `F32` tensor.
  package func floats(_ name: String) throws -> [Float] {
    try words(name, elementType: "F32").map(Float.init(bitPattern:))
  }

  /// The elements of an `I32` tensor.
  package func integers(_ name: String) throws -> [Int32] {
    try words(name, elementType: "I32").map(Int32.init(bitPattern:))
  }

  /// The elements of a `U8` tensor.
  package func bytes(_ name: String) throws -> [UInt8] {
    Array(data[try entry(name, elementType: "U8").byteRange])
  }

  package func shape(_ name: String) throws -> [Int] { try entry(name).shape }

  private func entry(_ name: String, elementType: String? = nil) throws -> Entry {
    guard let entry = entries[name] else {
      throw SafeTensorsError(
        path, "no tensor '\(name)'; there are \(entries.keys.sorted().joined(separator: ", "))")
    }
    if let elementType, entry.elementType != elementType {
      throw SafeTensorsError(
        path, "tensor '\(name)' has type \(entry.elementType), wanted \(elementType)")
    }
    return entry
  }

  private func words(_ name: String, elementType: String) throws -> [UInt32] {
    let range = try entry(name, elementType: elementType).byteRange
    return stride(from: range.lowerBound, to: range.upperBound, by: 4).map { start in
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(data[start + $1]) << (8 * $1) }
    }
  }
}

extension SafeTensorsFile.Entry {
  private static let elementByteCounts = [
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2,
    "U16": 2, "I8": 1, "U8": 1, "BOOL": 1,
  ]

  /// Nil where the entry is malformed, its type unknown, or its bytes are not those of its shape.
  fileprivate init?(_ value: Any, dataByteCount: Int) {
    guard let fields = value as? [String: Any], let type = fields["dtype"] as? String,
      let shape = fields["shape"] as? [Int], let offsets = fields["data_offsets"] as? [Int],
      let elementByteCount = Self.elementByteCounts[type], offsets.count == 2,
      0 <= offsets[0], offsets[0] <= offsets[1], offsets[1] <= dataByteCount
    else { return nil }
    var byteCount = elementByteCount
    for extent in shape {
      let (product, overflow) = byteCount.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else { return nil }
      byteCount = product
    }
    guard byteCount == offsets[1] - offsets[0] else { return nil }
    self.init(elementType: type, shape: shape, byteRange: offsets[0]..<offsets[1])
  }
}

package struct SafeTensorsError: Error, CustomStringConvertible {
  package let path: String
  package let reason: String

  package init(_ path: String, _ reason: String) {
    self.path = path
    self.reason = reason
  }

  package var description: String { "\(path) is no usable safetensors file: \(reason)" }
}
