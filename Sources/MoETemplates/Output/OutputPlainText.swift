/// Output without any markers.
struct OutputPlainText: OutputMachine {
  mutating func read(_ byte: UInt8, _ sink: inout OutputSink) { sink.content(byte) }

  mutating func finish(_ sink: inout OutputSink) {}
}
