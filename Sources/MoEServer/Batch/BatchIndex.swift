import MoECore
import MoEPlatform

/// What a batch is to do: where each request stands, and whether it is done.
struct BatchIndex {
  /// A line of the input that is not blank.
  struct Entry {
    /// Place and length of the line, without its line break.
    let offset: Int
    let byteCount: Int32
    let line: Int32
    /// The same of the line in the output; nil while there is none.
    var output: (offset: Int, byteCount: Int)?
    /// Whether it is a request that is not done.
    var isWaiting = false
  }

  private(set) var entries: [Entry] = []
  /// Lines of the output that belong to no line of the input.
  private(set) var strays: [(offset: Int, byteCount: Int)] = []
  private(set) var waitingCount = 0
  private(set) var refusedCount = 0
  /// Whether an answer is to have a form.
  private(set) var wantsForms = false

  /// Lines that one batch may have: what is known of each is held in memory.
  static let lineCountMax = 1 << 20

  /// Reads all of the input.
  ///
  /// - Parameters:
  ///   - done: What is in the output already.
  ///   - refuse: Called with each line that is no request and that the output does not name yet;
  ///     returns where it does now.
  init(
    _ input: InputFile, done: consuming DoneRequests, byteCountMax: Int, router: Router,
    memory: () -> BodyMemory,
    refuse: (BatchLineError) throws(BatchError) -> (offset: Int, byteCount: Int)?
  ) throws(BatchError) {
    var seen: [Fingerprint: Int32] = [:]
    var reader = LineReader(byteCountMax: byteCountMax, read: input.bytes)
    while var line = try reader.nextOfBatch() {
      if line.number == 1 { line.dropByteOrderMark() }
      if line.isBlank { continue }
      guard entries.count < Self.lineCountMax else {
        throw .tooManyLines(path: input.path, countMax: Self.lineCountMax)
      }
      var entry = Entry(
        offset: line.offset, byteCount: Int32(clamping: line.byteCount),
        line: Int32(clamping: line.number))
      let held = memory()
      defer { held.release() }
      do throws(BatchLineError) {
        let request = try BatchLine(
          line, byteCountMax: byteCountMax, router: router, memory: held)
        let name = Fingerprint(request.customID)
        if let first = seen[name] {
          throw BatchLineError(
            line.number, id: request.customID, code: "duplicate_custom_id",
            "has the custom_id of line \(first)")
        }
        seen[name] = entry.line
        wantsForms = wantsForms || request.wantsForm
        entry.output = done.take(name)
        entry.isWaiting = entry.output == nil
        if entry.isWaiting { waitingCount += 1 }
      } catch {
        refusedCount += 1
        entry.output = done.take(wrongLine: line.number)
        if entry.output == nil { entry.output = try refuse(error) }
      }
      entries.append(entry)
    }
    strays = done.rest
  }

  var doneCount: Int { entries.count - waitingCount }

  /// A request is done.
  mutating func finish(_ number: Int, at place: (offset: Int, byteCount: Int)) {
    guard entries[number].isWaiting else { return }
    entries[number].isWaiting = false
    entries[number].output = place
    waitingCount -= 1
  }
}

/// The requests that an output has the answers of.
struct DoneRequests {
  private var answers: [Fingerprint: (offset: Int, byteCount: Int)] = [:]
  private var wrongLines: [Int: (offset: Int, byteCount: Int)] = [:]

  mutating func add(_ line: BatchOutputLine) {
    let place = (line.offset, line.byteCount)
    if let number = line.wrongLine {
      wrongLines[number] = place
    } else if let id = line.customID {
      answers[Fingerprint(id)] = place
    }
  }

  mutating func take(_ name: Fingerprint) -> (offset: Int, byteCount: Int)? {
    answers.removeValue(forKey: name)
  }

  mutating func take(wrongLine: Int) -> (offset: Int, byteCount: Int)? {
    wrongLines.removeValue(forKey: wrongLine)
  }

  /// Answers that nobody has asked for: the input was another then. What was said of lines that
  /// are requests now is not among them.
  var rest: [(offset: Int, byteCount: Int)] {
    answers.values.sorted { $0.offset < $1.offset }
  }
}

/// 128 bits of a text, by keys that are drawn anew for each process: that two texts have the same
/// happens to nobody, and nobody can make it happen.
struct Fingerprint: Hashable {
  private let first: Int
  private let second: Int

  init(_ text: String) {
    func hash(_ number: Int) -> Int {
      var hasher = Hasher()
      hasher.combine(number)
      // By bytes: texts that look alike are different names.
      for byte in text.utf8 { hasher.combine(byte) }
      return hasher.finalize()
    }
    (first, second) = (hash(0), hash(1))
  }
}

extension FileLine {
  /// What some editors begin a text with, U+FEFF, is not part of it.
  fileprivate mutating func dropByteOrderMark() {
    guard content?.starts(with: [0xEF, 0xBB, 0xBF]) ?? false else { return }
    content?.removeFirst(3)
    offset += 3
    byteCount -= 3
  }
}
