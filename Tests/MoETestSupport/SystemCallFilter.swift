import Glibc

/// Makes system calls fail in this process for good, as container runtimes and broken disks do.
///
/// The kernel's own filter (seccomp) for all threads, so nothing of the program takes part in it.
/// For processes that a test starts for the purpose; there is no way back.
package enum SystemCallFilter {
  package enum Call: Sendable {
    case pread, ioUringSetup, ioUringEnter

    fileprivate var number: UInt32 {
      switch self {
      case .ioUringSetup: 425
      case .ioUringEnter: 426
      #if arch(x86_64)
        case .pread: 17
      #else
        case .pread: 67
      #endif
      }
    }
  }

  package struct Refused: Error {}

  /// From now on `call` fails with the errno value `code`. Filters add up.
  package static func fail(_ call: Call, with code: Int32) throws {
    struct Instruction {
      var code: UInt16
      var jumpTrue: UInt8 = 0
      var jumpFalse: UInt8 = 0
      var operand: UInt32
    }
    // Load the call's number; if it is the one, answer the error, else allow.
    let program = [
      Instruction(code: 0x20, operand: 0),
      Instruction(code: 0x15, jumpFalse: 1, operand: call.number),
      Instruction(code: 0x06, operand: 0x0005_0000 | UInt32(code)),
      Instruction(code: 0x06, operand: 0x7FFF_0000),
    ]
    let system = try systemCall()
    #if arch(x86_64)
      let (prctl, seccomp) = (157, 317)
    #else
      let (prctl, seccomp) = (167, 277)
    #endif
    // No new privileges, without which only the superuser may filter.
    guard system(prctl, 38, 1, 0, 0, 0) == 0 else { throw Refused() }
    let status = unsafe program.withUnsafeBytes { instructions in
      // struct sock_fprog: a count of 16 bits, then at the pointer's alignment the pointer.
      let header = [program.count, Int(bitPattern: instructions.baseAddress)]
      return unsafe header.withUnsafeBytes {
        // SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_TSYNC: for every thread.
        system(seccomp, 1, 1, Int(bitPattern: $0.baseAddress), 0, 0)
      }
    }
    guard status == 0 else { throw Refused() }
  }

  private typealias SystemCall = @convention(c) (Int, Int, Int, Int, Int, Int) -> Int

  /// `syscall` is variadic in C, so not imported; with integers only, the calling convention is the
  /// same.
  private static func systemCall() throws -> SystemCall {
    guard let symbol = unsafe dlsym(dlopen(nil, RTLD_NOW), "syscall") else { throw Refused() }
    return unsafe unsafeBitCast(symbol, to: SystemCall.self)
  }
}
