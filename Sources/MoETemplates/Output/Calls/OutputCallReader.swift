/// Reads what is between the markers of tool calls, byte by byte.
protocol OutputCallReader: Sendable {
  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) -> OutputReading

  /// The output has ended. Gives the sink what there is of an argument, and returns what else is
  /// held back of an open call where the end came inside a call; nil where it didn't.
  mutating func finish(_ sink: inout OutputSink) -> [UInt8]?
}

/// What has become of a byte.
enum OutputReading: Sendable {
  /// It belongs to a call, or may.
  case inside
  /// It belongs to the markup, and so does all that came since the last call.
  case settled
  /// It is the last one of the markup.
  case ended
  /// All since the opening or the last call makes no call. An open call has ended.
  case refused
}
