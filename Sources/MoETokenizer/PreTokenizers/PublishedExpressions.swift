/// The expressions of published vocabularies, as their makers wrote them.
///
/// From OpenAI's tiktoken (r50k, cl100k, o200k), and from the `tokenizer.json` or the tokenizer's
/// source of the models named. Parts that many share are written once.
enum PublishedExpressions {
  private static let contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
  private static let prefixed = #"[^\r\n\p{L}\p{N}]?"#
  private static let symbols = #"| ?[^\s\p{L}\p{N}]+[\r\n]*"#
  private static let spaces = #"|\s*[\r\n]+|\s+(?!\S)|\s+"#

  static let gpt2 =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// With up to three digits in a word: Llama 3, GLM-4, DBRX.
  static let cl100k =
    contraction + "|" + prefixed + #"\p{L}+|\p{N}{1,3}"# + symbols + spaces

  static let qwen2 = contraction + "|" + prefixed + #"\p{L}+|\p{N}"# + symbols + spaces

  /// As Qwen2's without English contractions.
  static let qwen2WithoutContractions = prefixed + #"\p{L}+|\p{N}"# + symbols + spaces

  /// Marks belong to words.
  static let qwen35 =
    contraction + "|" + prefixed + #"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"# + spaces

  private static let capitals = #"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"#
  private static let smallLetters = #"\p{Ll}\p{Lm}\p{Lo}\p{M}"#

  /// Capitals, then small letters: words end where capitals begin.
  private static func cased(_ ending: String, without: String = "") -> String {
    let (upper, lower) = ("[\(capitals)\(without)]", "[\(smallLetters)\(without)]")
    return prefixed + upper + "*" + lower + "+" + ending + "|" + prefixed + upper + "+" + lower
      + "*" + ending
  }

  /// Symbols take slashes along with the line breaks after them.
  static let o200k =
    cased(contraction + "?") + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*"# + spaces

  /// Mistral's, from Nemo on: o200k with single digits and without contractions.
  static let tekken = cased("") + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*"# + spaces

  /// Han characters apart from other words.
  static let kimiK2 =
    #"[\p{Han}]+|"# + cased(contraction + "?", without: #"&&[^\p{Han}]"#) + #"|\p{N}{1,3}"#
    + symbols + spaces

  /// What stands before a word, or a symbol with ASCII letters after it.
  private static let deepSeekWords =
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"##
    + #"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"# + spaces

  static let deepSeekV3 = [#"\p{N}{1,3}"#, "[一-龥぀-ゟ゠-ヿ]+", deepSeekWords]

  /// The set of East Asian characters has more in it than its author meant.
  static let deepSeekCoder = [
    #"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, #"[一-龥ࠀ-一가-\#u{D7FF}]+"#, #"\p{N}"#,
  ]

  static let deepSeekLLM = [
    #"[\r\n]"#,
    #"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕ"#
      + #"Ἐ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\#u{1F7D}ᾀ-ᾴᾶ-ᾼ\#u{1FBE}ῂ-ῄῆ-ῌῐ-\#u{1FD3}ῖ-\#u{1FDB}"#
      + #"ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\#u{2126}ℨ\#u{212A}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄ"#
      + #"Ⰰ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"#,
    #"\s?[!-/:-~！-／：-～‘-‟\#u{3000}-。]+"#, #"\s+$"#, #"[一-龥ࠀ-一가-\#u{D7FF}]+"#, #"\p{N}"#,
  ]

  /// GPT-2's after single digits: StarCoder, Granite, Command-R.
  static let starCoder = [#"\p{N}"#, gpt2]

  /// With possessive repetitions, which never match otherwise than greedy ones here.
  static let bailingMoE =
    #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*"#
    + #"|\s*[\r\n]|\s+(?!\S)|\s+"#

  static let seedCoder =
    contraction + "|" + prefixed + #"\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+"# + spaces

  /// Words of letters with their marks, several of them with spaces between.
  static let exaoneMoE =
    contraction + "|" + prefixed + #"(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}"#
    + #"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"#

  /// Digits in threes, counted from their end; scripts that write without spaces apart.
  static let afmoe = [
    #"\p{N}+"#, #"\A\p{N}{1,2}(?=(?:\p{N}{3})*\z)"#, #"\p{N}{3}"#,
    "[一-鿿㐀-䶿\u{F900}-\u{FAFF}぀-ゟ゠-ヿ･-ﾟ\u{2F00}-\u{2FDF}เ-\u{E7F}\u{E80}-\u{EFF}ក-\u{17FF}"
      + "က-႟ꩠ-ꩿꧠ-\u{A9FF}가-\u{D7AF}ᄀ-ᇿ]+",
    deepSeekWords,
  ]

  static let youtu = [
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+",
    cased(contraction + "?") + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*"# + spaces,
  ]

  static let bloom = " ?[^(\\s|.,!?…。，、।۔،)]+"

  static let falcon = [#"[\p{P}\$\+<=>\^~\|`]+"#, gpt2, "[0-9][0-9][0-9]"]
}
