import Foundation

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A memory cgroup made for a test, of version 1 or 2, below the root of the hierarchy.
///
/// Only the superuser may make one, and not in every container: `init` says why not.
package final class MemoryGroup: Sendable {
  private let folder: URL
  private let isVersion2: Bool

  package struct Unavailable: Error, CustomStringConvertible {
    package let description: String
  }

  package init() throws {
    let versionOne = URL(filePath: "/sys/fs/cgroup/memory")
    let versionTwo = URL(filePath: "/sys/fs/cgroup")
    let files = FileManager.default
    isVersion2 = !files.fileExists(atPath: versionOne.appending(path: "cgroup.procs").path)
    let controllers = versionTwo.appending(path: "cgroup.subtree_control")
    if isVersion2 {
      let names = (try? String(contentsOf: controllers, encoding: .utf8)) ?? ""
      guard names.split(whereSeparator: \.isWhitespace).contains("memory") else {
        throw Unavailable(description: "no memory controller is on in /sys/fs/cgroup")
      }
    }
    folder = (isVersion2 ? versionTwo : versionOne).appending(path: "moe-test-\(UUID().uuidString)")
    do {
      try files.createDirectory(at: folder, withIntermediateDirectories: false)
    } catch {
      throw Unavailable(description: "no memory cgroup can be made here: \(error)")
    }
  }

  deinit { unsafe rmdir(folder.path) }

  /// A process joins by writing its number here.
  package var membersPath: String { folder.appending(path: "cgroup.procs").path }

  package func limit(to byteCount: Int) throws {
    let name = isVersion2 ? "memory.max" : "memory.limit_in_bytes"
    try Data("\(byteCount)".utf8).write(to: folder.appending(path: name))
  }

  /// The most that the group was charged for: anonymous memory, page cache and the kernel's own.
  package func peakByteCount() throws -> Int {
    let name = isVersion2 ? "memory.peak" : "memory.max_usage_in_bytes"
    return try number(in: name)
  }

  /// How often the kernel ended a process of the group for want of memory.
  package func killCount() throws -> Int {
    let name = isVersion2 ? "memory.events" : "memory.oom_control"
    let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    let line = text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
    return line.flatMap { Int($0.dropFirst("oom_kill ".count)) } ?? 0
  }

  private func number(in name: String) throws -> Int {
    let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    guard let number = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
      throw Unavailable(description: "\(name) holds no number: \(text)")
    }
    return number
  }

  /// Why no group can be made; nil where one can.
  package static let obstacle: String? = {
    do {
      _ = try MemoryGroup()
      return nil
    } catch {
      return "\(error)"
    }
  }()
}
