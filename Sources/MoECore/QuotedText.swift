extension String {
  /// The text in quotes, fit for a terminal and for one line of a message.
  ///
  /// Names in model files are untrusted and may hold anything, terminal commands included. Control
  /// characters, line breaks and characters that turn the direction of text are written by number;
  /// quotes and backslashes are escaped, so that no name can be mistaken for another. After 80
  /// characters the text is cut.
  package var quotedForMessage: String {
    var text = "\""
    for (index, scalar) in unicodeScalars.enumerated() {
      if index == Self.quotedScalarCountMax {
        text += "..."
        break
      }
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
        .unassigned:
        text += "\\u{\(String(scalar.value, radix: 16))}"
      default:
        if scalar == "\"" || scalar == "\\" { text += "\\" }
        text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }

  private static var quotedScalarCountMax: Int { 80 }
}
