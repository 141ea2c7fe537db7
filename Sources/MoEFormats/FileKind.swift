/// What a file that is not GGUF looks like, so that the message can say more than "not GGUF".
enum FileKind {
  /// How much of the file's start `describe` wants to see.
  static let probeByteCount = 64

  static func describe(_ start: [UInt8]) -> String {
    if start.isEmpty { return "an empty file" }
    if start.allSatisfy({ $0 == 0 }) { return "zeros, as in a download that has not arrived" }
    if let (_, kind) = signatures.first(where: { start.starts(with: $0.prefix) }) { return kind }
    // safetensors: the length of a JSON text in 64 bits, then that text.
    if start.count > 8, start[8] == UInt8(ascii: "{"), start[6] == 0, start[7] == 0 {
      return "what looks like a safetensors file without a config.json beside it"
    }
    return "a file that starts with \(start.prefix(4).map(hexadecimal).joined(separator: " "))"
  }

  private static let signatures: [(prefix: [UInt8], kind: String)] = [
    (Array("version https://git-lfs".utf8), "a Git LFS pointer; fetch the file that it stands for"),
    (Array("<".utf8), "what looks like a web page, as saved in place of a download"),
    (Array("{".utf8), "what looks like JSON"),
    ([0x93] + Array("MOEBNDL".utf8), "a bundle; 'moe-run bundle unpack' makes a GGUF file of it"),
    (Array("PK\u{3}\u{4}".utf8), "a ZIP archive or PyTorch checkpoint; convert the model to GGUF"),
    ([0x80, 0x02], "a Python pickle; convert the model to GGUF"),
    ([0x1F, 0x8B], "a gzip archive; unpack it first"),
    ([0x28, 0xB5, 0x2F, 0xFD], "a zstd archive; unpack it first"),
    (Array("lmgg".utf8), "a model in a format older than GGUF"),
    (Array("fmgg".utf8), "a model in a format older than GGUF"),
    (Array("tjgg".utf8), "a model in a format older than GGUF"),
  ]

  private static func hexadecimal(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }
}
