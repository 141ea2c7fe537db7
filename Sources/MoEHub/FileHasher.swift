#if TLS
  private import Crypto

  /// Computes the digest of a file as it arrives.
  struct FileHasher {
    private var sha256 = SHA256()
    private var sha1 = Insecure.SHA1()
    private let wanted: FileDigest

    init(_ file: HubFile) {
      wanted = file.digest
      // What git hashes before the content.
      if case .gitBlob = wanted { sha1.update(data: Array("blob \(file.byteCount)\0".utf8)) }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
      switch wanted {
      case .sha256: unsafe sha256.update(bufferPointer: bytes)
      case .gitBlob: unsafe sha1.update(bufferPointer: bytes)
      }
    }

    /// Whether what came is what the hub lists.
    func isAsWanted() -> Bool {
      switch wanted {
      case .sha256(let text): Self.hexadecimal(sha256.finalize()) == text
      case .gitBlob(let text): Self.hexadecimal(sha1.finalize()) == text
      }
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
      bytes.reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16) }
    }
  }
#endif
