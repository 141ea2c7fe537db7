#if TLS
  import MoECore

  /// What tells a file's content from every other.
  package enum FileDigest: Hashable, Sendable {
    /// Of large files: SHA-256 of the content, in hexadecimal digits.
    case sha256(String)
    /// Of small files, as git has them: SHA-1 of a short header and the content.
    case gitBlob(String)

    /// The name of the content in the cache folder.
    package var text: String {
      switch self {
      case .sha256(let text), .gitBlob(let text): text
      }
    }

    /// A digest from its digits, by their number; nil where they are no digest. It becomes the name
    /// of a file.
    package init?(hexadecimal text: String) {
      guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
      else {
        return nil
      }
      switch text.utf8.count {
      case 64: self = .sha256(text)
      case 40: self = .gitBlob(text)
      default: return nil
      }
    }
  }

  /// A file of a model, as a hub lists it.
  package struct HubFile: Hashable, Sendable {
    /// From the model's folder on; names alone, none of them `.` or `..`.
    package let path: String
    package let byteCount: Int
    package let digest: FileDigest

    package init(path: String, byteCount: Int, digest: FileDigest) {
      self.path = path
      self.byteCount = byteCount
      self.digest = digest
    }

    /// One entry of the list; nil for folders and files that are no GGUF files.
    init?(_ entry: JSON, from host: String) throws(HubError) {
      guard case .string("file") = entry["type"], case .string(let path) = entry["path"],
        path.lowercased().hasSuffix(".gguf")
      else { return nil }
      guard Self.isSafe(path) else {
        throw .badAnswer(
          what: "the list of files at \(host)", wanted: "names of files inside the model",
          found: path.quotedForMessage)
      }
      let large = entry["lfs"]
      guard case .number(let size) = large?["size"] ?? entry["size"],
        let byteCount = Int(size), byteCount >= 0,
        case .string(let digits) = large?["oid"] ?? entry["oid"],
        let digest = FileDigest(hexadecimal: digits)
      else {
        throw .badAnswer(
          what: "the list of files at \(host)", wanted: "a size and a digest for each file",
          found: "none for \(path.quotedForMessage)")
      }
      self.init(path: path, byteCount: byteCount, digest: digest)
    }

    /// Whether a path stays inside the folder that it counts from.
    static func isSafe(_ path: String) -> Bool {
      let names = path.split(separator: "/", omittingEmptySubsequences: false)
      return path.utf8.count <= 1024 && names.count <= 16
        && names.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255 }
        && path.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != "\\" }
    }
  }
#endif
