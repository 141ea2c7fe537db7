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
  /// Whether parts of a format can be coded.
  package let takes: @Sendable (QuantFormat) -> Bool
  /// The format that products read a part in which stays coded in memory; nil: it is decoded to its
  /// own.
  package let residentFormat: QuantFormat?
  /// Nil where the code would take as many bytes as the part.
  package let encode:
    @Sendable (_ part: ByteView, CodedShape, CodecRoom) throws(OutOfMemory) -> [UInt8]?
  /// Coded bytes, which may be anything, to those that products read (`slot`).
  package let decode:
    @Sendable (_ code: ByteView, CodedShape, _ part: ByteView, CodecRoom) throws(CodecError) -> Void

  package init(
    id: UInt32, name: String, summary: String,
    takes: @escaping @Sendable (QuantFormat) -> Bool, residentFormat: QuantFormat? = nil,
    encode: @escaping @Sendable (ByteView, CodedShape, CodecRoom) throws(OutOfMemory) -> [UInt8]?,
    decode:
      @escaping @Sendable (ByteView, CodedShape, ByteView, CodecRoom) throws(CodecError) ->
      Void
  ) {
    self.id = id
    self.name = name
    self.summary = summary
    self.takes = takes
    self.residentFormat = residentFormat
    self.encode = encode
    self.decode = decode
  }

  /// What a part takes as products read it, and in which format they do.
  package func slot(of shape: CodedShape, codeByteCount: Int) -> CodedSlot {
    CodedSlot(shape, residentFormat: residentFormat, codeByteCount: codeByteCount)
  }
}

/// A part in memory.
package struct CodedSlot: Hashable, Sendable {
  package let format: QuantFormat
  package let byteCount: Int

  package init(format: QuantFormat, byteCount: Int) {
    self.format = format
    self.byteCount = byteCount
  }

  /// - Parameter residentFormat: Of the part's codec.
  init(_ shape: CodedShape, residentFormat: QuantFormat?, codeByteCount: Int) {
    format = residentFormat ?? shape.format
    byteCount = residentFormat == nil ? shape.byteCount : codeByteCount
  }
}

/// Every codec.
package enum CodecRegistry {
  package static let none = CodecEntry(
    id: 0, name: "none", summary: "As in the model, all parts of an expert side by side.",
    takes: { _ in true },
    encode: { part, shape, _ throws(OutOfMemory) in part.slice(0, count: shape.byteCount).array() },
    decode: { code, shape, part, room throws(CodecError) in
      guard code.count == shape.byteCount else { throw .wrongSize }
      room.team.copy(code, to: part)
    })

  package static let zstd = CodecEntry(
    id: 1, name: "zstd",
    summary: "Exponents, mantissas, scales and quants apart, coded where it pays.",
    takes: { $0.rowHeaderByteCount == 0 },
    encode: { part, shape, room throws(OutOfMemory) in try ZstdCodec(shape).encode(part, room) },
    decode: { code, shape, part, room throws(CodecError) in
      try ZstdCodec(shape).decode(code, into: part, room)
    })

  package static let ternary = CodecEntry(
    id: 2, name: "ternary",
    summary: "Ternary weights, coded by zstd on disk, two bits each in memory.",
    takes: { $0 == .ternary },
    encode: { part, shape, room throws(OutOfMemory) in try TernaryCodec(shape).encode(part, room) },
    decode: { code, shape, part, room throws(CodecError) in
      try TernaryCodec(shape).decode(code, into: part, room)
    })

  package static let qmoe = CodecEntry(
    id: 3, name: "qmoe",
    summary: "Ternary weights in QMoE's dictionary code, in memory too.",
    takes: { $0 == .ternary }, residentFormat: .qmoe,
    encode: { part, shape, room throws(OutOfMemory) in try QMoECodec(shape).encode(part, room) },
    decode: { code, shape, part, room throws(CodecError) in
      try QMoECodec(shape).decode(code, into: part, room)
    })

  package static let all = [none, zstd, ternary, qmoe]

  package static func entry(id: UInt32) -> CodecEntry? { all.first { $0.id == id } }

  /// By codec, the formats of those whose parts stay coded in memory: asked for with every expert.
  static let residentFormats = Dictionary(
    uniqueKeysWithValues: all.compactMap { codec in codec.residentFormat.map { (codec.id, $0) } })

  /// The codec for parts that another one makes no smaller: packed ternary weights gain from zstd.
  package static func fallback(for codec: CodecEntry) -> CodecEntry? {
    codec.id == qmoe.id ? ternary : nil
  }

  package static func entry(named name: String) -> CodecEntry? { all.first { $0.name == name } }
}

/// What is wrong with coded bytes.
package enum CodecError: Error, Equatable, Sendable {
  /// They are more or fewer than they say.
  case wrongSize
  /// They mean nothing.
  case malformed
  /// There is no memory for what decoding takes.
  case outOfMemory
}
