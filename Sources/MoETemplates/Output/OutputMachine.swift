/// A state machine over the bytes of a model's output.
///
/// It sees one byte at a time and so can't tell how the output was cut into pieces.
protocol OutputMachine: Sendable {
  mutating func read(_ byte: UInt8, _ sink: inout OutputSink)

  /// The output has ended.
  mutating func finish(_ sink: inout OutputSink)
}
