package import MoECore
package import MoEKernels

/// What a codec codes: a part of an expert, whole rows of one format.
package struct CodedShape: Hashable, Sendable {
  package let format: QuantFormat
  package let rowCount: Int
  package let columnCount: Int
  /// Bytes of the part as products read it.
  package let byteCount: Int

  package init(format: QuantFormat, rowCount: Int, columnCount: Int) {
    self.format = format
    self.rowCount = rowCount
    self.columnCount = columnCount
    byteCount = rowCount * format.rowByteCount(columnCount: columnCount)
  }
}

/// One way in which a bundle may keep a part of an expert.
package struct CodecEntry: Sendable {
  /// The number in files: never given twice.
  package let id: UInt32
  package let name: String
  package let summary: String
  /// Nil where the code would take as many bytes as the part.
  package let encode:
    @Sendable (_ part: ByteView, CodedShape, CodecRoom) throws(OutOfMemory) -> [UInt8]?
  /// Coded bytes, which may be anything, to `shape.byteCount` bytes.
  package let decode:
    @Sendable (_ code: ByteView, CodedShape, _ part: ByteView, CodecRoom) throws(CodecError) -> Void

  package init(
    id: UInt32, name: String, summary: String,
    encode: @escaping @Sendable (ByteView, CodedShape, CodecRoom) throws(OutOfMemory) -> [UInt8]?,
    decode:
      @escaping @Sendable (ByteView, CodedShape, ByteView, CodecRoom) throws(CodecError) ->
      Void
  ) {
    self.id = id
    self.name = name
    self.summary = summary
    self.encode = encode
    self.decode = decode
  }
}

/// Every codec.
package enum CodecRegistry {
  package static let none = CodecEntry(
    id: 0, name: "none", summary: "As in the model, all parts of an expert side by side.",
    encode: { part, shape, _ throws(OutOfMemory) in part.slice(0, count: shape.byteCount).array() },
    decode: { code, shape, part, room throws(CodecError) in
      guard code.count == shape.byteCount else { throw .wrongSize }
      room.team.copy(code, to: part)
    })

  package static let zstd = CodecEntry(
    id: 1, name: "zstd",
    summary: "Exponents, mantissas, scales and quants apart, coded where it pays.",
    encode: { part, shape, room throws(OutOfMemory) in try ZstdCodec(shape).encode(part, room) },
    decode: { code, shape, part, room throws(CodecError) in
      try ZstdCodec(shape).decode(code, into: part, room)
    })

  package static let all = [none, zstd]

  package static func entry(id: UInt32) -> CodecEntry? { all.first { $0.id == id } }

  package static func entry(named name: String) -> CodecEntry? { all.first { $0.name == name } }
}

/// What is wrong with coded bytes.
package enum CodecError: Error, Equatable, Sendable {
  /// They are more or fewer than they say.
  case wrongSize
  /// They mean nothing.
  case malformed
}
