internal import MoECore

/// Where a header's bytes come from: a file, or memory in tests.
protocol ByteSource {
  /// Name for messages.
  var path: String { get }
  /// Size of the whole file, weights included.
  var byteCount: Int { get }
  /// The `count` bytes from `offset` on, or as many as there are; empty only at the end.
  func bytes(at offset: Int, count: Int) throws(FormatError) -> [UInt8]
}

/// The start of a file, held in memory.
struct MemoryBytes: ByteSource {
  let path: String
  let byteCount: Int
  let content: [UInt8]

  func bytes(at offset: Int, count: Int) -> [UInt8] {
    let end = min(content.count, offset + count)
    if offset == 0 && end == content.count { return content }
    return offset < end ? Array(content[offset..<end]) : []
  }
}

/// Little-endian values of a header, read once from front to back.
///
/// One window of the file is held at a time, so memory is bounded by the window and by what the
/// caller keeps. Every count is checked against the bytes that are left before anything is reserved
/// for it.
struct ByteReader {
  /// A window; enough for most headers, so that they take one read.
  static let windowByteCount = 1 << 20
  /// No model has more header, all shards together. The largest published ones, with vocabularies
  /// of 260,000 words, have some 20 MiB; the bound keeps a damaged count from reading weights as if
  /// they were metadata, and many shards from holding what one may not.
  static let headerByteCountMax = 128 << 20

  /// The part of the header being read, for messages.
  enum Subject {
    case header
    case keyNumber(Int)
    case key(String)
    case tensorNumber(Int)
    case tensor(String)
  }

  var subject = Subject.header
  private(set) var position = 0

  private let source: any ByteSource
  private let limit: Int
  private var window: [UInt8] = []
  private var windowStart = 0

  /// Reads at most `byteCountMax` bytes: what the shards before have left.
  init(_ source: any ByteSource, byteCountMax: Int = headerByteCountMax) {
    self.source = source
    limit = min(source.byteCount, byteCountMax)
  }

  var path: String { source.path }
  var fileByteCount: Int { source.byteCount }
  private var remainingByteCount: Int { limit - position }

  mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type = T.self
  ) throws(FormatError) -> T {
    let byteCount = MemoryLayout<T>.size
    try need(byteCount)
    let offset = position - windowStart
    position += byteCount
    return unsafe T(
      littleEndian: window.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
  }

  /// Passes over bytes that are not read yet.
  mutating func skip(_ byteCount: Int) throws(FormatError) {
    guard byteCount <= remainingByteCount else { throw endOfHeader(wanted: byteCount) }
    position += byteCount
  }

  /// The bytes from `start` up to here in an array of their own. What is not in the window any more
  /// is read once again, so that the window stays small however long an array is.
  func bytes(from start: Int) throws(FormatError) -> [UInt8] {
    let isInWindow = start >= windowStart && position <= windowStart + window.count
    let bytes =
      isInWindow
      ? Array(window[start - windowStart..<position - windowStart])
      : try source.bytes(at: start, count: position - start)
    guard bytes.count == position - start else { throw endOfHeader(wanted: position - start) }
    return bytes
  }

  /// A 64-bit count of things that take at least `elementByteCountMin` bytes each.
  mutating func count(of things: String, elementByteCountMin: Int) throws(FormatError) -> Int {
    let count = try integer(UInt64.self)
    let countMax = remainingByteCount / elementByteCountMin
    guard count <= UInt64(countMax) else {
      let bound = limit < source.byteCount ? ", with \(Self.boundText)" : ""
      throw failure(
        .truncated, wanted: "at most \(countMax) \(things) in the bytes that are left\(bound)",
        found: "\(count)")
    }
    return Int(count)
  }

  /// A string: its length in 64 bits, then its bytes, as a slice of the window.
  mutating func stringBytes() throws(FormatError) -> ArraySlice<UInt8> {
    let byteCount = try count(of: "bytes of text", elementByteCountMin: 1)
    try need(byteCount)
    let start = position - windowStart
    position += byteCount
    return window[start..<start + byteCount]
  }

  /// A name, which must be UTF-8 and of at most `byteCountMax` bytes.
  mutating func name(byteCountMax: Int) throws(FormatError) -> String {
    let bytes = try stringBytes()
    guard bytes.count <= byteCountMax else {
      throw failure(
        .malformed, wanted: "a name of at most \(byteCountMax) bytes", found: "\(bytes.count)")
    }
    guard let string = String(validating: bytes, as: UTF8.self) else {
      let text = String(decoding: bytes.prefix(80), as: UTF8.self).quotedForMessage
      throw failure(.malformed, wanted: "text in UTF-8", found: "other bytes, like \(text)")
    }
    return string
  }

  func failure(
    _ kind: FormatError.Kind, wanted: String, found: String, advice: String? = nil
  ) -> FormatError {
    FormatError(
      kind, path: path, subject: subject.text, wanted: wanted, found: found, advice: advice)
  }

  /// Brings the next `byteCount` bytes into the window.
  private mutating func need(_ byteCount: Int) throws(FormatError) {
    if byteCount <= windowStart + window.count - position { return }
    guard byteCount <= remainingByteCount else { throw endOfHeader(wanted: byteCount) }
    let readByteCount = min(remainingByteCount, max(byteCount, Self.windowByteCount))
    window = []  // Freed first, so that there are never two windows.
    window = try source.bytes(at: position, count: readByteCount)
    windowStart = position
    guard byteCount <= window.count else { throw endOfHeader(wanted: byteCount) }
  }

  private static var boundText: String {
    "at most \(ByteSize(headerByteCountMax)) of headers, all shards together"
  }

  private func endOfHeader(wanted byteCount: Int) -> FormatError {
    if limit < source.byteCount {
      return failure(.malformed, wanted: Self.boundText, found: "more")
    }
    return failure(
      .truncated, wanted: "\(byteCount) more bytes of header at byte \(position)",
      found: "the end of the file")
  }
}

extension ByteReader.Subject {
  fileprivate var text: String? {
    switch self {
    case .header: nil
    case .keyNumber(let index): "metadata entry \(index)"
    case .key(let key): "key \(key.quotedForMessage)"
    case .tensorNumber(let index): "tensor entry \(index)"
    case .tensor(let name): "tensor \(name.quotedForMessage)"
    }
  }
}
