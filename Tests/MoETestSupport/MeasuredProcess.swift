import Foundation

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// A program that was run in a process of its own, with its memory and time as the kernel counted
/// them.
package struct MeasuredProcess: Sendable {
  /// The exit code, or 128 and the signal's number where a signal ended it.
  package var exitCode: Int32
  package var output: String
  package var errorOutput: String
  /// The largest resident set (`VmHWM`).
  package var peakByteCount: Int
  /// What it took of processors, in seconds: the same however busy the machine is.
  package var processorSeconds: Double

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// Runs a program to its end.
  ///
  /// - Parameters:
  ///   - command: The program's path and its arguments.
  ///   - group: A memory cgroup that the process is in from its first instruction on.
  ///   - interruption: A text on standard output or standard error after which it gets SIGINT.
  package static func run(
    _ command: [String], in group: MemoryGroup? = nil, interruptedAfter interruption: String? = nil
  ) throws -> MeasuredProcess {
    let folder = try TemporaryFolder()
    let output = folder.url.appending(path: "output").path
    let errors = folder.url.appending(path: "errors").path
    let identifier = try spawn(join(group, command), output: output, errors: errors)
    var peak = 0
    var isInterrupted = false
    var (code, usage): (Int32, rusage) = (0, rusage())
    while unsafe wait4(identifier, &code, WNOHANG, &usage) == 0 {
      peak = max(peak, status("VmHWM", of: "\(identifier)") ?? 0)
      if let interruption, !isInterrupted,
        text(output).contains(interruption) || text(errors).contains(interruption)
      {
        isInterrupted = kill(identifier, SIGINT) == 0
      }
      // Blocks on purpose: a suspended test may go on only when others are done.
      usleep(2000)
    }
    // What was polled may lack the last moment. The total at the end does not, but it counts what
    // this process held when it made the other one too. The kernel counts pages by processor, and
    // adds up late: two readings of the same memory differ by some megabytes.
    let total = usage.ru_maxrss << 10
    let own = status("VmHWM", of: "self").map { $0 + 64 << 20 } ?? .max
    return MeasuredProcess(
      exitCode: code & 0x7F == 0 ? code >> 8 & 0xFF : 128 + code & 0x7F,
      output: text(output), errorOutput: text(errors),
      peakByteCount: total > own ? total : peak,
      processorSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1e6
  }

  /// The command itself or, for a group, a shell that joins the group and then becomes the command.
  private static func join(_ group: MemoryGroup?, _ command: [String]) -> [String] {
    guard let group else { return command }
    return ["/bin/sh", "-c", #"echo $$ > "$0" && exec "$@""#, group.membersPath] + command
  }

  private static func spawn(
    _ command: [String], output: String, errors: String
  ) throws -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    let flags = O_WRONLY | O_CREAT | O_TRUNC
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, flags, 0o600)
    var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    var identifier = pid_t()
    let code = unsafe posix_spawn(&identifier, command[0], &actions, nil, &arguments, environ)
    guard code == 0 else {
      throw Failure(description: "\(command[0]) could not be started: error \(code)")
    }
    return identifier
  }

  private static func text(_ path: String) -> String {
    (try? String(decoding: Data(contentsOf: URL(filePath: path)), as: UTF8.self)) ?? ""
  }

  /// A field in kilobytes of a process's status, in bytes.
  private static func status(_ field: String, of process: String) -> Int? {
    let lines = text("/proc/\(process)/status").split(separator: "\n")
    let words = lines.first { $0.hasPrefix(field + ":") }?.split(whereSeparator: \.isWhitespace)
    return words.flatMap { $0.count > 1 ? Int($0[1]) : nil }.map { $0 << 10 }
  }
}
