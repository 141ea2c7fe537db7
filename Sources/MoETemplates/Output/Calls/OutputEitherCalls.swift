/// Calls in one of two forms, which their first bytes tell apart.
struct OutputEitherCalls: OutputCallReader {
  /// The reader for text that begins so; nil while that isn't certain.
  private let choose: @Sendable (_ beginning: [UInt8]) -> (any OutputCallReader)?
  private var beginning: [UInt8] = []
  private var reader: (any OutputCallReader)?

  init(choose: @escaping @Sendable ([UInt8]) -> (any OutputCallReader)?) { self.choose = choose }

  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading {
    if let reading = reader?.read(byte, &sink) { return reading }
    if byte.isOutputSpace { return .inside }
    beginning.append(byte)
    guard let chosen = choose(beginning) else { return .inside }
    reader = chosen
    var reading = OutputReading.inside
    for byte in beginning {
      reading = reader?.read(byte, &sink) ?? .refused
      if reading == .refused || reading == .ended { break }
    }
    beginning = []
    return reading
  }

  mutating func finish(_ sink: inout OutputSink) -> [UInt8]? {
    reader == nil ? [] : reader?.finish(&sink)
  }
}
