import MoECore
import MoERuntime

/// Reads how the next token is drawn: OpenAI's members and llama-server's.
enum SamplingFields {
  /// Texts that end a generation: all are looked for at each token.
  static let stopCountMax = 32
  static let stopByteCountMax = 512
  private static let breakerCountMax = 16
  private static let breakerByteCountMax = 64

  static func read(
    _ fields: inout RequestFields, into options: inout SamplingOptions, vocabularySize: Int
  ) throws(APIError) {
    if let value = try fields.number("temperature", in: 0...100) { options.temperature = value }
    if let value = try fields.number("top_p", in: 0...1) { options.topP = value }
    if let value = try fields.integer("top_k", in: -1 ... .max) { options.topK = max(0, value) }
    if let value = try fields.number("min_p", in: 0...1) { options.minP = value }
    if let value = try fields.number("typical_p", in: 0...1) { options.typicalP = value }
    if let value = try fields.number("top_n_sigma", in: -100...100) {
      options.topNSigma = max(0, value)
    }
    if let value = try fields.number("xtc_probability", in: 0...1) {
      options.xtcProbability = value
    }
    if let value = try fields.number("xtc_threshold", in: 0...1) { options.xtcThreshold = value }
    if let value = try fields.number("dynatemp_range", in: 0...100) {
      options.dynamicTemperatureRange = value
    }
    if let value = try fields.number("dynatemp_exponent", in: 0...100) {
      options.dynamicTemperatureExponent = value
    }
    try readPenalties(&fields, into: &options)
    try readMirostat(&fields, into: &options)
    options.samplers = try samplers(&fields) ?? options.samplers
    for (token, bias) in try biases(&fields, vocabularySize: vocabularySize) {
      options.logitBiases[token] = bias
    }
    options.seed = try seed(&fields)
    try fields.refuse("min_keep", unless: 0, because: "no sampler has it")
  }

  private static func readPenalties(
    _ fields: inout RequestFields, into options: inout SamplingOptions
  ) throws(APIError) {
    for name in ["repeat_penalty", "repetition_penalty"] {
      if let value = try fields.number(name, in: 0.000_001...1000) { options.repeatPenalty = value }
    }
    if let value = try fields.integer("repeat_last_n", in: -1 ... .max) {
      options.repeatLastCount = value
    }
    if let value = try fields.number("presence_penalty", in: -100...100) {
      options.presencePenalty = value
    }
    if let value = try fields.number("frequency_penalty", in: -100...100) {
      options.frequencyPenalty = value
    }
    if let value = try fields.number("dry_multiplier", in: 0...1000) {
      options.dryMultiplier = value
    }
    if let value = try fields.number("dry_base", in: 0...1000) { options.dryBase = value }
    if let value = try fields.integer("dry_allowed_length", in: 0 ... .max) {
      options.dryAllowedLength = value
    }
    if let value = try fields.integer("dry_penalty_last_n", in: -1 ... .max) {
      options.dryLastCount = value
    }
    if let texts = try fields.strings("dry_sequence_breakers") {
      try check(
        texts, "dry_sequence_breakers", countMax: breakerCountMax,
        byteCountMax: breakerByteCountMax)
      options.dryBreakers = texts
    }
  }

  private static func readMirostat(
    _ fields: inout RequestFields, into options: inout SamplingOptions
  ) throws(APIError) {
    try fields.refuse("mirostat", unless: 0, 2, because: "of its versions there is only 2")
    if let version = try fields.integer("mirostat") { options.mirostat = version == 2 }
    if let value = try fields.number("mirostat_tau", in: 0...1000) {
      options.mirostatTarget = value
    }
    if let value = try fields.number("mirostat_eta", in: 0...1000) { options.mirostatRate = value }
  }

  private static func samplers(_ fields: inout RequestFields) throws(APIError) -> [String]? {
    guard let names = try fields.strings("samplers") else { return nil }
    let known = SamplingOptions.samplerNames
    guard names.count <= known.count, names.allSatisfy({ known.contains($0) }) else {
      throw .invalid("samplers", "samplers may have each of \(known.joined(separator: ", "))")
    }
    return names
  }

  /// Token ids as keys, as OpenAI has them, or pairs of an id and a bias. A bias of -100 or false
  /// bans a token.
  private static func biases(
    _ fields: inout RequestFields, vocabularySize: Int
  ) throws(APIError) -> [Int32: Float] {
    guard let value = fields.value("logit_bias") else { return [:] }
    var result: [Int32: Float] = [:]
    func add(_ id: Int?, _ bias: JSON) throws(APIError) {
      guard let id, (0..<vocabularySize).contains(id) else {
        throw .invalid(
          "logit_bias",
          "logit_bias must have ids of tokens as its keys, from 0 to \(vocabularySize - 1)")
      }
      if bias == .bool(false) {
        result[Int32(id)] = -.infinity
      } else if let number = bias.realNumber, number >= -100, number <= 100 {
        result[Int32(id)] = number == -100 ? -.infinity : Float(number)
      } else {
        throw .invalid("logit_bias", "a value of logit_bias must be a number from -100 to 100")
      }
    }
    switch value {
    case .object(let members):
      for member in members { try add(Int(member.name), member.value) }
    case .array(let pairs):
      for pair in pairs {
        guard case .array(let parts) = pair, parts.count == 2 else {
          throw .invalid("logit_bias", "an element of logit_bias must be an id and a bias")
        }
        try add(parts[0].wholeNumber, parts[1])
      }
    default:
      throw fields.wrong("logit_bias", wanted: "an object of token ids and biases", value)
    }
    return result
  }

  /// The seed that was given, or one that is drawn, so that it can be reported. -1 draws one too.
  private static func seed(_ fields: inout RequestFields) throws(APIError) -> UInt64 {
    if let seed = try fields.integer("seed"), seed != -1 { return UInt64(bitPattern: Int64(seed)) }
    return UInt64(UInt32.random(in: .min ... .max))
  }

  static func stops(
    _ fields: inout RequestFields, _ name: String = "stop"
  ) throws(APIError) -> [String] {
    let stops = try fields.strings(name) ?? []
    try check(stops, name, countMax: stopCountMax, byteCountMax: stopByteCountMax)
    return stops.filter { !$0.isEmpty }
  }

  private static func check(
    _ texts: [String], _ name: String, countMax: Int, byteCountMax: Int
  ) throws(APIError) {
    guard texts.count <= countMax, texts.allSatisfy({ $0.utf8.count <= byteCountMax }) else {
      throw .invalid(
        name, "\(name) may have \(countMax) texts of \(byteCountMax) bytes each, and has more")
    }
  }

  /// Tokens to generate at most: the least of the members that are there; nil where none is, or -1.
  static func tokenCountMax(
    _ fields: inout RequestFields, _ names: String...
  ) throws(APIError) -> Int? {
    var least: Int?
    for name in names {
      guard let value = try fields.integer(name, in: -1 ... .max), value >= 0 else { continue }
      least = min(least ?? value, value)
    }
    return least
  }
}
