/// What a path leads to.
package enum FileKind: Hashable, Sendable {
  case regular
  case directory
  case pipe
  case socket
  case device
  case other

  /// For sentences such as "it is a directory".
  package var text: String {
    switch self {
    case .regular: "a file"
    case .directory: "a directory"
    case .pipe: "a named pipe"
    case .socket: "a socket"
    case .device: "a device"
    case .other: "something else"
    }
  }
}

/// Why a file could not be opened, read or written: the path, and what was in the way.
package enum FileError: Error, Hashable, Sendable {
  /// The system refused with an `errno` value.
  case system(path: String, code: Int32)
  /// Something other than a regular file.
  case notRegular(path: String, kind: FileKind)
  /// A file of more bytes than its reader takes.
  case tooLarge(path: String, byteCountMax: Int)
  /// No file has such a name: an empty one, or one with a zero byte in it.
  case impossibleName(path: String)

  package var path: String {
    switch self {
    case .system(let path, _), .notRegular(let path, _), .tooLarge(let path, _),
      .impossibleName(let path):
      path
    }
  }

  /// The end of a sentence about the file.
  package var reason: String {
    switch self {
    case .system(_, let code): systemMessage(code)
    case .notRegular(_, let kind): "it is \(kind.text), not a file"
    case .tooLarge(_, let byteCountMax): "it is larger than \(byteCountMax) bytes"
    case .impossibleName(let path):
      path.isEmpty ? "the name of the file is empty" : "there is a zero byte in the path"
    }
  }
}

extension FileError: CustomStringConvertible {
  package var description: String { "\(path): \(reason)" }
}
