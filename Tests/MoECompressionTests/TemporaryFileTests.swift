import Foundation
import MoEPlatform
import MoETestSupport
import Testing

/// Files without names.
@Suite struct TemporaryFileTests {
  @Test func bytesComeBackAndNoNameIsLeft() throws {
    let folder = try TemporaryFolder()
    let file = try TemporaryFile(inFolder: folder.url.path)
    let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0) }
    try unsafe bytes.withUnsafeBytes { try unsafe file.write($0, at: 5_000) }
    file.flush(0..<15_000)
    var read = [UInt8](repeating: 0, count: 100)
    try unsafe read.withUnsafeMutableBytes { try unsafe file.read(at: 5_300, into: $0) }
    #expect(read == Array(bytes[300..<400]))
    #expect(throws: FileError.self) {
      try unsafe read.withUnsafeMutableBytes { try unsafe file.read(at: 14_950, into: $0) }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    #expect(throws: FileError.self) { try file.checkRoom(for: 1 << 60) }
    try file.checkRoom(for: 1000)
  }

  @Test func foldersThatAreNoneAreNamed() {
    for folder in ["", "/nonexistent", "a\0b"] {
      #expect(throws: FileError.self) { try TemporaryFile(inFolder: folder) }
    }
  }
}
