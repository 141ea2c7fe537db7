private import MoEPlatform

/// A file that a report goes to at the end of a run, checked at its start.
///
/// A regular file is replaced as a whole, so that no reader sees half a report; pipes and devices
/// are written as they are.
struct ReportFile {
  private let path: String
  private let isReplaced: Bool

  /// Throws where the file could not be written, as far as can be told without writing it.
  ///
  /// - Parameter flag: The flag that named it, for messages.
  init(_ path: String, flag: String) throws(Failure) {
    guard !path.isEmpty else { throw .usage("\(flag) needs the name of a file") }
    self.path = path
    switch FileStatus(path: path)?.kind {
    case .directory: throw Self.failure(path, "it is a directory")
    case .regular, nil:
      isReplaced = true
      do throws(FileError) {
        try ReplacementFile.check(path)
      } catch {
        throw Self.failure(path, error.reason)
      }
    default:
      isReplaced = false
      let code = FileWriting.refusal(of: path)
      guard code == 0 else { throw Self.failure(path, systemMessage(code)) }
    }
  }

  func write(_ text: String) throws(Failure) {
    let output = try begin()
    try output.write(text)
    try output.finish()
  }

  /// Writes a text that comes in pieces, for what is too large to be one.
  func write<Value>(
    pieces: (_ write: @escaping @Sendable (String) throws -> Void) async throws -> Value
  ) async throws -> Value {
    let output = try begin()
    let value = try await pieces { piece in try output.write(piece) }
    try output.finish()
    return value
  }

  private func begin() throws(Failure) -> Output {
    guard isReplaced else { return try Output(existing: path) }
    do throws(FileError) {
      return Output(path: path, try ReplacementFile(path))
    } catch {
      throw Self.failure(path, error.reason)
    }
  }

  /// What is written to: a replacement, which is removed where it is not finished, or what is
  /// there.
  private final class Output: Sendable {
    private enum Target {
      case replacement(ReplacementFile)
      case descriptor(Int32)
    }

    private let path: String
    private let target: Target

    init(path: String, _ file: ReplacementFile) {
      self.path = path
      target = .replacement(file)
    }

    init(existing path: String) throws(Failure) {
      let descriptor = FileWriting.openExisting(path)
      guard descriptor >= 0 else { throw ReportFile.failure(path, systemMessage(-descriptor)) }
      self.path = path
      target = .descriptor(descriptor)
    }

    deinit {
      if case .descriptor(let descriptor) = target { _ = FileWriting.close(descriptor) }
    }

    func write(_ text: String) throws(Failure) {
      do throws(FileError) {
        switch target {
        case .replacement(let file): try file.write(text.utf8.span)
        case .descriptor(let descriptor):
          let code = writeAll(text, to: descriptor)
          guard code == 0 else { throw .system(path: path, code: code) }
        }
      } catch {
        throw ReportFile.failure(path, error.reason)
      }
    }

    func finish() throws(Failure) {
      guard case .replacement(let file) = target else { return }
      do throws(FileError) {
        try file.commit()
      } catch {
        throw ReportFile.failure(path, error.reason)
      }
    }
  }

  private static func failure(_ path: String, _ reason: String) -> Failure {
    .runtime("the report '\(path)' cannot be written: \(reason)")
  }
}
