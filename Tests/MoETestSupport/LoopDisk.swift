package import Foundation
import Testing

/// A disk of a few megabytes, made of a file, that can be broken: what lies beyond a point then
/// answers every read with a real EIO. Needs the superuser and loop devices.
///
/// It hangs on two descriptors and is mounted nowhere, so that it vanishes with the process however
/// that ends.
package final class LoopDisk: Sendable {
  /// The root of its file system, by way of the descriptor.
  package let directory: URL
  private let root: Int32
  private let image: Int32

  /// Cancels the running test, with the reason, where no such disk can be made.
  package static func make(byteCount: Int) throws -> LoopDisk {
    do {
      return try LoopDisk(byteCount: byteCount)
    } catch let refusal as Refusal {
      try Test.cancel("no loop device here: \(refusal.reason)")
    }
  }

  private struct Refusal: Error { let reason: String }

  private init(byteCount: Int) throws {
    guard geteuid() == 0 else { throw Refusal(reason: "only the superuser can mount one") }
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("moe-disk-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let place = folder.appendingPathComponent("mounted").path
    let file = folder.appendingPathComponent("image").path
    guard unsafe mkdir(place, 0o700) == 0, unsafe close(creat(file, 0o600)) == 0,
      unsafe truncate(file, byteCount) == 0
    else { throw Refusal(reason: "cannot make its file") }
    try Self.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", file])
    try Self.run(["mount", "-o", "loop", file, place])
    image = unsafe open(file, O_RDWR | O_CLOEXEC)
    root = unsafe open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    directory = URL(fileURLWithPath: "/proc/self/fd/\(root)")
    // From the tree of files only: the file system stays for as long as its root is open.
    try Self.run(["umount", "-l", place])
  }

  deinit {
    close(root)
    close(image)
  }

  /// Makes everything behind the first `keptByteCount` bytes of the disk unreadable, for good.
  package func breakDisk(behind keptByteCount: Int) throws {
    sync()
    guard ftruncate(image, keptByteCount) == 0 else {
      throw CocoaError(.fileWriteUnknown)
    }
  }

  private static func run(_ command: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    var environment = ProcessInfo.processInfo.environment
    environment["PATH"] = (environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    process.environment = environment
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Refusal(reason: "\(command[0]): \(text)") }
  }
}
