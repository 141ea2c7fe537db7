package import Foundation
import Testing

/// A disk of a few megabytes, made of a file, that can be broken: what lies beyond a point then
/// answers every read with a real EIO. Needs the superuser and loop devices.
package final class LoopDisk: Sendable {
  /// Where its file system is mounted.
  package let directory: URL
  private let folder: URL

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
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("moe-disk-\(UUID().uuidString)")
    directory = folder.appendingPathComponent("mounted")
    guard geteuid() == 0 else { throw Refusal(reason: "only the superuser can mount one") }
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    try Data().write(to: image)
    try resizeImage(to: byteCount)
    try Self.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", image.path])
    try Self.run(["mount", "-o", "loop", image.path, directory.path])
  }

  deinit {
    // Fails where nothing was mounted.
    try? Self.run(["umount", "-l", directory.path])
    try? FileManager.default.removeItem(at: folder)
  }

  /// Makes everything behind the first `keptByteCount` bytes of the disk unreadable, for good.
  package func breakDisk(behind keptByteCount: Int) throws {
    sync()
    try resizeImage(to: keptByteCount)
  }

  private var image: URL { folder.appendingPathComponent("image") }

  private func resizeImage(to byteCount: Int) throws {
    let handle = try FileHandle(forUpdating: image)
    try handle.truncate(atOffset: UInt64(byteCount))
    try handle.close()
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
