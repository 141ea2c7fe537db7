private import FoundationEssentials
import MoECore

/// What the normaliser and the pre-tokenizer of a `tokenizer.json` do to a text, as far as it can
/// be said in keys of a tokenizer here.
struct TokenizerSteps {
  /// Whether text becomes bytes, which stand for characters of an alphabet.
  private(set) var isByteLevel = false
  /// Applied one after the other.
  private(set) var expressions = PackedStrings()
  /// By expression: whether what lies between matches is left out.
  private(set) var dropsGaps: [Bool] = []
  /// Unicode's normal form that text is brought to: `NFC`.
  private(set) var normalForm: String?
  private(set) var characterMap: [UInt8]?
  private(set) var addsSpacePrefix = false
  private(set) var removesExtraSpaces = false

  private let path: String
  private var marksSpaces = false

  private static let spaceMark = "▁"
  /// GPT-2's, which the step ByteLevel brings along.
  private static let gpt2 =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  init(
    normalizer: JSONTree?, preTokenizer: JSONTree?, path: String
  ) throws(FormatError) {
    self.path = path
    for step in Self.parts(of: normalizer, "normalizers") { try normalize(step) }
    let steps = Self.parts(of: preTokenizer, "pretokenizers")
    isByteLevel = steps.contains { $0["type"]?.string == "ByteLevel" }
    for step in steps { try cut(step) }
    if !isByteLevel, !marksSpaces {
      throw unsupported(
        "text whose spaces are no \(Self.spaceMark)", "byte level, or marked spaces")
    }
    if !isByteLevel, expressions.count > 0 {
      throw unsupported("words cut by expressions before characters are merged", "none")
    }
  }

  /// The steps of a sequence, or the one that there is.
  static func parts(of tree: JSONTree?, _ name: String) -> [JSONTree] {
    guard let tree, tree != .null else { return [] }
    guard tree["type"]?.string == "Sequence" else { return [tree] }
    return (tree[name]?.array ?? []).flatMap { parts(of: $0, name) }
  }

  private mutating func normalize(_ step: JSONTree) throws(FormatError) {
    switch (step["type"]?.string ?? "", step["pattern"], step["content"]?.string) {
    case ("NFC", _, _): normalForm = "NFC"
    case ("Prepend", _, _) where step["prepend"]?.string == Self.spaceMark: addsSpacePrefix = true
    case ("Replace", let pattern?, Self.spaceMark) where pattern["String"]?.string == " ":
      marksSpaces = true
    case ("Replace", let pattern?, let content?)
    where pattern["Regex"]?.string == " {2,}" && (content == Self.spaceMark || content == " "):
      // Behind it runs of spaces are one, which a mark then stands for.
      removesExtraSpaces = true
    case ("Strip", _, _)
    where step["strip_left"]?.bool == true && step["strip_right"]?.bool == true:
      removesExtraSpaces = true
    case ("Precompiled", _, _):
      guard let text = step["precompiled_charsmap"]?.string, let data = Data(base64Encoded: text)
      else { throw unsupported("a Precompiled normaliser without its table", "Base64") }
      characterMap = [UInt8](data)
    case let (type, _, _): throw unsupported("the normaliser \(type.quotedForMessage)", "another")
    }
  }

  private mutating func cut(_ step: JSONTree) throws(FormatError) {
    switch step["type"]?.string ?? "" {
    case "ByteLevel":
      if step["add_prefix_space"]?.bool == true {
        throw unsupported("ByteLevel with add_prefix_space", "without")
      }
      if step["use_regex"]?.bool ?? true { append(Self.gpt2) }
    case "Digits":
      append(step["individual_digits"]?.bool == true ? #"\p{N}"# : #"\p{N}+"#)
    case "Punctuation" where step["behavior"]?.string ?? "Isolated" == "Isolated":
      append(#"[\p{P}!-/:-@\[-`{-~]"#)
    case "Metaspace":
      let scheme =
        step["prepend_scheme"]?.string
        ?? (step["add_prefix_space"]?.bool ?? true ? "always" : "never")
      guard scheme != "first", step["replacement"]?.string ?? Self.spaceMark == Self.spaceMark
      else { throw unsupported("Metaspace with the scheme \(scheme)", "always or never") }
      addsSpacePrefix = scheme == "always"
      marksSpaces = true
      if step["split"]?.bool ?? true, !removesExtraSpaces {
        throw unsupported("Metaspace that splits runs of spaces", "one that does not")
      }
    case "Split": try split(step)
    case let type: throw unsupported("the pre-tokenizer \(type.quotedForMessage)", "another")
    }
  }

  private mutating func split(_ step: JSONTree) throws(FormatError) {
    let behavior = step["behavior"]?.string ?? ""
    let isInverted = step["invert"]?.bool ?? false
    if step["pattern"]?["String"]?.string == " ", behavior == "MergedWithPrevious", marksSpaces {
      return  // There are no spaces any more.
    }
    guard let pattern = step["pattern"]?["Regex"]?.string else {
      throw unsupported("a Split at a text", "at an expression")
    }
    switch (behavior, isInverted) {
    case ("Isolated", false): append(pattern)
    case ("Removed", true): append(pattern, dropsGaps: true)
    default:
      throw unsupported(
        "Split with the behaviour \(behavior.quotedForMessage)\(isInverted ? ", inverted" : "")",
        "Isolated")
    }
  }

  private mutating func append(_ expression: String, dropsGaps: Bool = false) {
    expressions.append(Array(expression.utf8)[...])
    self.dropsGaps.append(dropsGaps)
  }

  private func unsupported(_ found: String, _ wanted: String) -> FormatError {
    FormatError(.unsupported, path: path, wanted: wanted, found: found)
  }
}
