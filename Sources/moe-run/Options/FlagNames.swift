import MoECore
import MoERuntime

/// The library speaks of options; here they have flags.
extension MemoryPlan.Remedy {
  /// The flag and the value that would help.
  var flag: String {
    switch self {
    case .memory(let byteCount): "at least --memory \((byteCount + (1 << 20) - 1) >> 20)M"
    case .contextLength(let length): "at most -c \(length)"
    case .kvCacheType(let type): "--kv-type \(type.rawValue)"
    }
  }
}

extension MemoryPlan {
  /// The table, its last figure as the flag takes it.
  var flagTable: String {
    table.dropLast(smallestBudgetArgument.count) + "--memory \(smallestBudgetArgument)"
  }
}

extension EngineError {
  /// The sentence with the flags that set what it speaks of.
  var flagDescription: String {
    switch self {
    case .budgetTooSmall(let plan):
      return
        "a memory budget of \(ByteSize(plan.budgetByteCount)) is too small for this model: give "
        + plan.remedies.map(\.flag).joined(separator: ", or ")
    case .contextExceeded: return "\(self) (-c)"
    case .invalidOption(let name, _, _):
      return Self.flags[name].map { "\(self) (\($0))" } ?? "\(self)"
    default: return "\(self)"
    }
  }

  /// By the library's names of what they set.
  private static let flags = [
    "the context length": "-c", "the expert pool": "--expert-pool", "the thread count": "-t",
    "the chunk of prompt tokens": "--chunk", "the I/O depth": "--io-depth",
    "the count of staging slots": "--staging-slots", "the cache policy": "--cache-policy",
    "the predictor": "--predictor", "the perplexity window": "-c", "the stride": "--stride",
    "a grammar": "--grammar, --json-schema",
    "the bundle": "--bundle", "the copies in fewer bits": "--low-resident",
    "the sequence length": "--sequence-length",
    "the type of keys and values": "--kv-type",
  ]
}
