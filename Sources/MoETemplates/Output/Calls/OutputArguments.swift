/// Passes a call's arguments on as they are, JSON text that ends with its value or at a marker.
///
/// Inside a JSON string a marker is text. White space around the value is dropped, and so is what
/// a run of it between tokens has beyond `OutputLimits.spaceByteCountMax`.
struct OutputArguments: Sendable {
  enum Step: Equatable, Sendable {
    case inside
    /// The value is complete.
    case complete
    /// A marker has come, by its number.
    case marker(Int)
  }

  private var scanner = OutputJSONScanner()
  private var markers: OutputMarkers
  private var released: [UInt8] = []
  private var space: [UInt8] = []
  private var hasBegun = false
  /// Whether what follows a complete value may be a fence of Markdown, which is dropped.
  private let dropsFence: Bool

  init(markers: [String], dropsFence: Bool = false) {
    self.markers = OutputMarkers(markers)
    self.dropsFence = dropsFence
  }

  var isComplete: Bool { scanner.hasEnded }

  /// Takes one byte and appends to `text` what is certain. After `complete` more may follow, which
  /// is not JSON any more and passed on all the same.
  mutating func read(_ byte: UInt8, text: inout [UInt8]) -> Step {
    let wasComplete = isComplete
    if scanner.isInString {
      scanner.read(byte)
      text.append(byte)
    } else {
      let found = markers.read(byte, text: &released)
      release(to: &text)
      if let found { return .marker(found) }
    }
    return isComplete && !wasComplete ? .complete : .inside
  }

  /// What is held back, as it could be the beginning of a marker.
  var held: [UInt8] { markers.held }

  private mutating func release(to text: inout [UInt8]) {
    for byte in released {
      if byte.isOutputSpace && !scanner.isInString {
        if hasBegun && space.count < OutputLimits.spaceByteCountMax { space.append(byte) }
        continue
      }
      if isComplete && dropsFence && byte == UInt8(ascii: "`") { continue }
      text.append(contentsOf: space)
      space.removeAll(keepingCapacity: true)
      hasBegun = true
      scanner.read(byte)
      text.append(byte)
    }
    released.removeAll(keepingCapacity: true)
  }
}
