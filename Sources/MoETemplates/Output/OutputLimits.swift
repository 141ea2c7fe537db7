/// How much a parser of a model's output holds back at most.
enum OutputLimits {
  /// A run of white space before what may be a marker. A longer one is text.
  static let spaceByteCountMax = 1024
  /// A tool's name with what stands around it, or an argument's. A longer one makes no call.
  static let nameByteCountMax = 1024
  /// A call before its name is known. A longer one is text.
  static let callByteCountMax = 1 << 16
  /// An argument whose type its text decides. A longer one is a string.
  static let valueByteCountMax = 1 << 20
  /// Text after a refused marker that is searched for another one.
  static let secondLookByteCountMax = 64
  /// Values in each other.
  static let depthMax = 64
}
