import MoEKernels
import MoEModel

/// Who gets how much of the memory budget, decided before any weight is read.
public struct MemoryPlan: Sendable, Codable, Equatable {
  /// Where a figure comes from.
  public enum Basis: String, Sendable, Codable {
    case measured, derived, `default`, user
  }

  public struct Row: Sendable, Codable, Equatable {
    public var name: String
    public var byteCount: Int
    public var basis: Basis
    /// What the figure is made of, in a few words.
    public var note: String
  }

  public var budgetByteCount: Int
  public var budgetBasis: Basis
  public var budgetNote: String
  /// Everything but the experts.
  public var rows: [Row]
  /// The pool, or all experts where they are resident.
  public var experts: Row
  /// Bytes that the pool's slots are cut from; `experts` has them as the system maps them.
  public var poolByteCount: Int
  public var placement: ExpertPlacement
  /// Slots of the pool; as many as there are experts where all are resident.
  public var slotCount: Int
  /// Bytes of the KV cache that experts use until a sequence needs them.
  public var loanByteCount: Int
  /// Slots in these bytes, besides `slotCount`.
  public var lentSlotCount: Int
  public var expertCount: Int
  public var contextLength: Int
  /// Texts at a time, each of up to so many positions.
  public var sequenceCount: Int
  public var chunkTokenCount: Int
  public var threadCount: Int
  /// The smallest memory budget that this model runs in with these options.
  public var smallestBudgetByteCount: Int
  /// What would help a plan that does not fit, each by itself; empty for one that does.
  public var remedies: [Remedy] = []

  /// One change of the options with which a run fits.
  public enum Remedy: Sendable, Codable, Equatable {
    /// A memory budget of at least so much.
    case memory(byteCount: Int)
    /// A context of at most so many positions.
    case contextLength(Int)
    /// Keys and values of this type.
    case kvCacheType(KVCacheType)
  }

  /// The row of keys, values and other state of sequences.
  static let stateRowName = "KV cache"

  /// What the state of all texts takes when each is as long as the context, lent or not.
  package var stateByteCount: Int {
    rows.first { $0.name == Self.stateRowName }?.byteCount ?? 0
  }

  /// How the sequences' state is laid out.
  func stateLayout(_ description: ModelDescription, type: KVType) -> StateLayout {
    StateLayout(
      description, contextLength: contextLength, sequenceCount: sequenceCount, type: type)
  }

  public var totalByteCount: Int { rows.reduce(experts.byteCount) { $0 + $1.byteCount } }

  public var fits: Bool { totalByteCount <= budgetByteCount }

  /// The smallest budget as `SizeSpecification` reads it, rounded up to whole MiB.
  public var smallestBudgetArgument: String {
    "\((smallestBudgetByteCount + (1 << 20) - 1) >> 20)M"
  }

  /// The plan as lines of text, sizes in MiB.
  public var table: String {
    let lines = rows + [experts]
    let width = lines.map(\.name.count).max() ?? 0
    func line(_ name: String, _ bytes: Int, _ basis: String, _ note: String) -> String {
      let name = name + String(repeating: " ", count: max(0, width - name.count))
      let tenths = (bytes * 10 + (1 << 19)) >> 20
      let size = "\(tenths / 10).\(tenths % 10)"
      let padding = String(repeating: " ", count: max(0, 9 - size.count))
      let basis = basis + String(repeating: " ", count: max(0, 8 - basis.count))
      return "  \(name) \(padding)\(size) MiB  \(basis)  \(note)"
    }
    var text = lines.map { line($0.name, $0.byteCount, $0.basis.rawValue, $0.note) }
    text.append(line("total", totalByteCount, "", ""))
    text.append(line("budget", budgetByteCount, budgetBasis.rawValue, budgetNote))
    text.append(
      line("smallest", smallestBudgetByteCount, "derived", "\(smallestBudgetArgument)"))
    return text.joined(separator: "\n")
  }
}

extension MemoryPlan.Remedy: CustomStringConvertible {
  public var description: String {
    switch self {
    case .memory(let byteCount):
      "at least \((byteCount + (1 << 20) - 1) >> 20) MiB"
    case .contextLength(let length): "a context of at most \(length) positions"
    case .kvCacheType(let type): "keys and values in \(type.rawValue)"
    }
  }
}
