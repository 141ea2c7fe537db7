import Foundation
import MoEFormats
import MoETestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Things that are not model files.
@Suite struct GGUFRefusalTests {
  @Test(arguments: [
    ([], "an empty file"),
    (Array("GGU".utf8), "starts with 47 47 55"),
    (Array("version https://git-lfs.github.com/spec/v1".utf8), "Git LFS pointer"),
    (Array("<!DOCTYPE html><html>".utf8), "web page"),
    (Array("PK\u{3}\u{4}rest".utf8), "ZIP archive"),
    (Array("tjgg....".utf8), "older than GGUF"),
    ([0x10, 1, 0, 0, 0, 0, 0, 0] + Array("{\"__metadata__\"".utf8), "safetensors"),
    (Array(repeating: 0, count: 512), "zeros"),
  ])
  func `other files are named for what they look like`(_ bytes: [UInt8], _ word: String) throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "model.gguf")
      try Data(bytes).write(to: url)
      let error = try #require(throws: FormatError.self) { try GGUFFile(path: url.path) }
      #expect(error.kind == .otherFormat)
      #expect(error.found.contains(word), "\(error)")
      #expect(error.description.hasPrefix(url.path))
    }
  }

  @Test func `old and big-endian files are unsupported`() throws {
    for version: UInt32 in [0, 1, 4, .max] {
      #expect(errorKind(Samples.raw(version: version)) == .unsupported)
    }
    let error = #expect(throws: FormatError.self) {
      try GGUFHeader(bytes: Samples.raw(version: UInt32(3).byteSwapped))
    }
    #expect(error?.description.contains("big-endian") == true)
  }

  @Test func `a pipe is refused without waiting for a writer`() throws {
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "pipe").path
      let made = unsafe mkfifo(path, 0o600)
      try #require(made == 0)
      let error = #expect(throws: FormatError.self) { try GGUFFile(path: path) }
      #expect(error?.kind == .notRegularFile)
      #expect(error?.found == "a named pipe")
    }
  }

  @Test func `folders, devices and absent files are refused`() throws {
    try withTemporaryFolder { folder in
      let cases: [(String, FormatError.Kind)] = [
        (folder.path, .notRegularFile), ("/dev/null", .notRegularFile),
        (folder.appending(path: "absent").path, .unreadable), ("", .unreadable),
        ("zero\0byte", .unreadable),
      ]
      for (path, kind) in cases {
        let error = #expect(throws: FormatError.self) { try GGUFFile(path: path) }
        #expect(error?.kind == kind, "\(path)")
        #expect(error?.path == path)
      }
    }
  }

  @Test func `messages escape what could command a terminal`() {
    let key = Array("evil\u{1B}[2J\u{202E}".utf8)
    let bytes = Samples.raw(keyCount: 1, Samples.entry(key, type: 99, [0]))
    let error = #expect(throws: FormatError.self) { try GGUFHeader(bytes: bytes) }
    #expect(error?.description.contains("\"evil\\u{1b}[2J\\u{202e}\"") == true)
  }
}
