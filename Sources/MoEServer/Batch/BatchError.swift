package import MoEPlatform
import MoECore

/// Why a batch can't be run: one sentence that says what is wrong, and what to do.
package enum BatchError: Error, Sendable, CustomStringConvertible {
  case file(FileError)
  /// The input and the output are one file.
  case sameFile(path: String)
  /// Another program writes the output.
  case inUse(path: String)
  /// What stands at a line of the output is none of a batch's.
  case foreignOutput(path: String, line: Int)
  case tooManyLines(path: String, countMax: Int)
  /// The input has changed while it was worked on.
  case changed(path: String, FileChange)
  /// The model or the machine failed, not a request.
  case engine(String)

  package var description: String {
    switch self {
    case .file(let error): "'\(error.path)': \(error.reason)"
    case .sameFile(let path): "'\(path)' is the input; give another file for the answers"
    case .inUse(let path):
      "'\(path)' is written by another run; wait for its end, or give another file"
    case .foreignOutput(let path, let line):
      "'\(path)' is not the output of a batch (line \(line)); give another file, or remove this one"
    case .tooManyLines(let path, let countMax):
      "'\(path)' has more than \(countMax) requests; cut it into several files"
    case .changed(let path, let change):
      "'\(path)' has changed while it was worked on (\(change.text)); run the batch again, which "
        + "goes on with what is not done"
    case .engine(let message):
      "\(message); what was done by then is in the output, and the same command goes on from there"
    }
  }

  /// Does something with files.
  static func filing<Value>(
    _ body: () throws(FileError) -> Value
  ) throws(BatchError) -> Value {
    do {
      return try body()
    } catch {
      throw .file(error)
    }
  }
}

extension LineReader {
  mutating func nextOfBatch() throws(BatchError) -> FileLine? {
    do {
      return try next()
    } catch {
      throw .file(error)
    }
  }
}
