import CMoERuntimeInterface
import MoERuntime

/// Why a call from C fails: a code, and one sentence for people.
struct CallFailure: Error {
  let status: moe_status
  let sentence: String

  /// What the caller has to mend.
  static func argument(_ sentence: String) -> CallFailure {
    CallFailure(status: MOE_ERROR_ARGUMENT, sentence: sentence)
  }

  static func busy(_ sentence: String) -> CallFailure {
    CallFailure(status: MOE_ERROR_BUSY, sentence: sentence)
  }
}

extension CallFailure {
  init(_ error: EngineError) {
    self.init(status: Self.status(of: error), sentence: error.description + Self.hint(for: error))
  }

  private static func status(of error: EngineError) -> moe_status {
    switch error {
    case .format, .model, .tokenizer, .incompleteFile, .damagedWeight, .logitsAreNoNumbers:
      MOE_ERROR_MODEL
    case .experts, .store, .trace, .output: MOE_ERROR_READ
    case .outOfMemory, .budgetTooSmall: MOE_ERROR_MEMORY
    case .contextExceeded: MOE_ERROR_CONTEXT
    case .queueFull, .unloaded, .cancelled: MOE_ERROR_BUSY
    case .gating, .template, .grammar, .invalidOption, .invalidToken, .emptyPrompt, .textTooShort:
      MOE_ERROR_ARGUMENT
    }
  }

  /// The option that sets what an error speaks of.
  private static func hint(for error: EngineError) -> String {
    let option: String? =
      switch error {
      case .invalidOption(let name, _, _): options[name]
      case .contextExceeded: "ctx-size"
      case .budgetTooSmall: "memory"
      default: nil
      }
    return option.map { " (option \"\($0)\")" } ?? ""
  }

  /// By the library's names of what they set; other values are checked when they are set.
  private static let options = [
    "the context length": "ctx-size", "the type of keys and values": "kv-type",
    "the copies in fewer bits": "low-resident", "the bundle": "bundle", "a grammar": "grammars",
  ]
}
