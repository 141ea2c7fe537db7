import MoECore
import MoEPlatform

/// Where a batch's answers go, line by line: what is there of an earlier run stays.
struct BatchOutput {
  let file: AppendedFile
  private(set) var byteCount: Int
  private var unsynchronizedCount = 0
  private var synchronizedAt = MonotonicClock.nanoseconds()

  /// Lines, and nanoseconds, after which what was written is put on the disk.
  private static let groupCountMax = 64
  private static let groupNanosecondsMax: UInt64 = 1_000_000_000

  /// Goes on behind what was found in a file; a last line that was torn is cut off.
  init(_ file: AppendedFile, behind scan: BatchOutputScan) throws(FileError) {
    self.file = file
    byteCount = scan.byteCount
    if scan.isTorn { try file.truncate(to: byteCount) }
  }

  /// - Returns: Where the line is, without its line break.
  mutating func append(_ json: JSON) throws(FileError) -> (offset: Int, byteCount: Int) {
    let bytes = Array(json.jsonText.utf8)
    try file.append(bytes + [0x0A])
    let place = (byteCount, bytes.count)
    byteCount += bytes.count + 1
    unsynchronizedCount += 1
    let isDue = MonotonicClock.nanoseconds() - synchronizedAt >= Self.groupNanosecondsMax
    if isDue || unsynchronizedCount >= Self.groupCountMax { try synchronize() }
    return place
  }

  mutating func synchronize() throws(FileError) {
    if unsynchronizedCount > 0 { try file.synchronize() }
    unsynchronizedCount = 0
    synchronizedAt = MonotonicClock.nanoseconds()
  }
}

/// What an earlier run has left.
struct BatchOutputScan {
  var done = DoneRequests()
  /// Of whole lines.
  private(set) var byteCount = 0
  /// Whether a part of a line follows.
  private(set) var isTorn = false

  /// What every line begins with, by which a torn one is known as a batch's.
  private static let beginning = Array(#"{"id":"batch_req_"#.utf8)
  /// Of a line: an answer is as long as a context, and alternatives may come with each token.
  private static let lineByteCountMax = 1 << 28

  init() {}

  /// Throws where a line is none of a batch's: nothing of such a file is to be changed.
  init(
    path: String, read: @escaping (_ offset: Int, _ count: Int) throws(FileError) -> [UInt8]
  ) throws(BatchError) {
    var reader = LineReader(byteCountMax: Self.lineByteCountMax, read: read)
    while let line = try reader.nextOfBatch() {
      guard line.isEnded else {
        guard let content = line.content, zip(content, Self.beginning).allSatisfy({ $0 == $1 })
        else { throw .foreignOutput(path: path, line: line.number) }
        isTorn = true
        return
      }
      guard let content = line.content, let found = BatchOutputLine(content, line) else {
        throw .foreignOutput(path: path, line: line.number)
      }
      byteCount = line.offset + line.byteCount + 1
      done.add(found)
    }
  }
}

/// A line of a batch's output, as far as a later run needs to know it.
struct BatchOutputLine {
  let offset: Int
  let byteCount: Int
  /// Nil where the request had none that could be read.
  let customID: String?
  /// The line of the input that was no request; nil where it was one.
  let wrongLine: Int?

  /// Nil where it is no line of a batch's output.
  init?(_ content: [UInt8], _ line: FileLine) {
    guard let text = String(validating: content, as: UTF8.self),
      let json = try? JSON(text: text), let id = json["id"]?.string, id.hasPrefix("batch_req_"),
      let response = json["response"], let error = json["error"]
    else { return nil }
    (offset, byteCount) = (line.offset, line.byteCount)
    customID = json["custom_id"]?.string
    wrongLine = error["line"]?.wholeNumber
    // One or the other.
    guard response == .null ? wrongLine != nil : customID != nil else { return nil }
  }

  /// The answer to a request.
  static func answer(
    _ customID: String, ofLine line: Int, status: Int, _ body: JSON
  ) -> JSON {
    [
      "id": id(line), "custom_id": .string(customID),
      "response": [
        "status_code": .integer(status), "request_id": .string(Identifier.make("req_")),
        "body": body,
      ],
      "error": nil,
    ]
  }

  /// What is said of a line that is no request.
  static func refusal(_ error: BatchLineError) -> JSON {
    [
      "id": id(error.line), "custom_id": .text(error.customID), "response": nil,
      "error": [
        "code": .string(error.code), "message": .string(error.message),
        "line": .integer(error.line),
      ],
    ]
  }

  private static func id(_ line: Int) -> JSON { .string("batch_req_\(line)") }
}
