import MoEKernels
private import MoEPlatform

/// What tells one machine from another, as far as speed goes.
struct MachineProfile: Codable, Equatable {
  var processor: String
  var processorCount: Int
  var instructionSet: String
  /// Of the largest cache that a processor sees, in bytes.
  var lastCacheByteCount: Int

  static func current() -> MachineProfile {
    MachineProfile(
      processor: processorName(inInfo: KernelFile.text("/proc/cpuinfo") ?? ""),
      processorCount: ProcessorCount.current.count, instructionSet: InstructionSet.current.name,
      lastCacheByteCount: lastCacheByteCount())
  }

  /// The line `model name` of `/proc/cpuinfo`; machines that have none are told apart by their
  /// count of processors and instruction set alone.
  static func processorName(inInfo info: String) -> String {
    let line = info.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = line?.split(separator: ":", maxSplits: 1).last ?? "unknown processor"
    return String(name.drop { $0 == " " })
  }

  /// 32 MiB where the kernel does not say.
  private static func lastCacheByteCount() -> Int {
    let sizes = (0..<8).compactMap { index in
      KernelFile.text("/sys/devices/system/cpu/cpu0/cache/index\(index)/size").flatMap(byteCount)
    }
    return sizes.max() ?? 32 << 20
  }

  /// Reads "32768K" or "32M" as sysfs writes them; nil where it is neither.
  static func byteCount(inSize text: String) -> Int? {
    let digits = text.prefix { $0.isNumber }
    let unit = text.dropFirst(digits.count).first
    guard let number = Int(digits), number < 1 << 30 else { return nil }
    switch unit {
    case "K": return number << 10
    case "M": return number << 20
    default: return nil
    }
  }
}
