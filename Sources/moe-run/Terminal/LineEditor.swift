private import Synchronization

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Reads what a person types at a terminal, a text at a time.
///
/// The terminal's own lines end at 4096 bytes, and lose the rest of a long paste; so it is read
/// byte by byte. Enter ends a text; a backslash before it, Alt-Enter, and line breaks of a paste go
/// on with another line. The arrows bring back earlier texts.
final class LineEditor {
  enum Line: Equatable {
    case text(String)
    /// Ctrl-C with nothing typed.
    case interrupted
    /// Ctrl-D with nothing typed, or the terminal is gone.
    case ended
  }

  private var prompt = ""
  private static let nextLinePrompt = "… "
  private var text = ""
  private var history: [String] = []
  private var historyPlace = 0
  /// Bytes that are no whole character yet.
  private var pending: [UInt8] = []
  private var isPasting = false
  private var input: [UInt8] = []

  /// Waits for a text.
  func read(prompt: String) -> Line {
    self.prompt = prompt
    (text, isPasting, historyPlace) = ("", false, history.count)
    RawTerminal.begin()
    defer { RawTerminal.end() }
    draw()
    while true {
      guard let byte = nextByte() else { return finish(.ended) }
      if let line = take(byte) { return finish(line) }
    }
  }

  private func finish(_ line: Line) -> Line {
    write("\n")
    if case .text(let text) = line, !text.isEmpty, history.last != text { history.append(text) }
    return line
  }

  private func nextByte() -> UInt8? {
    if input.isEmpty {
      input = RawTerminal.read().reversed()
    }
    return input.popLast()
  }

  /// The line that the byte ends, if it ends one.
  private func take(_ byte: UInt8) -> Line? {
    if byte == 0x1B {
      escape()
      return nil
    }
    if isPasting {
      insert(byte == 0x0D ? 0x0A : byte)
      return nil
    }
    switch byte {
    // What was typed while an answer came has gone through the terminal's own lines.
    case 0x0D, 0x0A:
      guard text.hasSuffix("\\") else { return .text(text) }
      edit { $0.removeLast() }
      insert(0x0A)
    case 0x03:
      if text.isEmpty { return .interrupted }
      edit { $0 = "" }
    case 0x04: if text.isEmpty { return .ended }
    case 0x08, 0x7F: edit { if !$0.isEmpty { $0.removeLast() } }
    case 0x15: edit { $0 = "" }
    case 0x17: edit(Self.removeLastWord)
    case 0x0C:
      write("\u{1B}[H\u{1B}[2J")
      draw()
    case 0x09, 0x20...: insert(byte)
    default: break
    }
    return nil
  }

  private static func removeLastWord(_ text: inout String) {
    while text.last?.isWhitespace ?? false { text.removeLast() }
    while let last = text.last, !last.isWhitespace { text.removeLast() }
  }

  /// What follows the escape character: arrows, the ends of a paste, Alt-Enter.
  private func escape() {
    guard let first = nextByte() else { return }
    if first == 0x0D || first == 0x0A { return insert(0x0A) }
    guard first == UInt8(ascii: "[") || first == UInt8(ascii: "O") else { return }
    var sequence: [UInt8] = []
    while let byte = nextByte() {
      sequence.append(byte)
      if (0x40...0x7E).contains(byte) || sequence.count > 16 { break }
    }
    switch String(decoding: sequence, as: UTF8.self) {
    case "200~": isPasting = true
    case "201~": isPasting = false
    case "A" where !isPasting: recall(historyPlace - 1)
    case "B" where !isPasting: recall(historyPlace + 1)
    default: break
    }
  }

  private func recall(_ place: Int) {
    guard (0...history.count).contains(place) else { return }
    historyPlace = place
    edit { $0 = place < history.count ? history[place] : "" }
  }

  /// Takes a byte of text; a character is shown when it is whole.
  private func insert(_ byte: UInt8) {
    pending.append(byte)
    let needed =
      switch pending[0] {
      case 0xC2...0xDF: 2
      case 0xE0...0xEF: 3
      case 0xF0...0xF4: 4
      default: 1
      }
    guard pending.count >= needed || (pending.count > 1 && byte & 0xC0 != 0x80) else { return }
    let added = String(decoding: pending, as: UTF8.self)
    pending = []
    text += added
    write(Self.shown(added))
  }

  /// Changes the text in a way that takes a new drawing.
  private func edit(_ change: (inout String) -> Void) {
    let rows = rowCount
    change(&text)
    if rows > 1 { write("\u{1B}[\(rows - 1)A") }
    write("\r\u{1B}[J")
    draw()
  }

  private func draw() { write(prompt + Self.shown(text)) }

  private static func shown(_ text: String) -> String {
    String(
      text.map { character -> String in
        if character == "\n" || character == "\r\n" { return "\n" + nextLinePrompt }
        if character == "\t" { return "    " }
        // What else commands a terminal is not for it.
        return character.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
          ? "·" : String(character)
      }.joined())
  }

  /// Rows that the text takes on the screen now.
  private var rowCount: Int {
    let width = max(RawTerminal.columnCount, 2)
    var (rows, column) = (1, 0)
    for character in prompt + Self.shown(text) {
      if character == "\n" {
        (rows, column) = (rows + 1, 0)
        continue
      }
      let columns = CharacterWidth.columns(character)
      if column + columns > width { (rows, column) = (rows + 1, 0) }
      column += columns
    }
    return rows
  }

  private func write(_ text: String) { StandardError.write(text) }
}

/// The terminal that standard input is, read as it is typed.
enum RawTerminal {
  /// As it was before; nil while it is so.
  private static let before = Mutex<termios?>(nil)

  static func begin() {
    var settings = termios()
    guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
    let original = settings
    before.withLock { if $0 == nil { $0 = original } }
    settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
    settings.c_iflag &= ~tcflag_t(IXON | ICRNL)
    unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    // Pastes are told from typing.
    StandardError.write("\u{1B}[?2004h")
  }

  /// Also where the program ends early: the shell must find the terminal as it was.
  static func end() {
    before.withLock { before in
      guard var settings = before else { return }
      unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
      before = nil
      StandardError.write("\u{1B}[?2004l")
    }
  }

  /// What was typed; empty where the terminal is gone.
  static func read() -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
      while true {
        let read = unsafe Self.readOnce(buffer)
        if read < 0, errno == EINTR { continue }
        count = max(0, read)
        return
      }
    }
  }

  private static func readOnce(_ buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    #if canImport(Glibc)
      unsafe Glibc.read(STDIN_FILENO, buffer.baseAddress, buffer.count)
    #else
      unsafe Musl.read(STDIN_FILENO, buffer.baseAddress, buffer.count)
    #endif
  }

  static var columnCount: Int {
    var size = winsize()
    guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return 80
    }
    return Int(size.ws_col)
  }

  static var isInput: Bool { isatty(STDIN_FILENO) == 1 }
}
