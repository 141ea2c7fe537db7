extension Text {
  var uppercased: Text { mapped { $0.uppercaseMapping } }

  var lowercased: Text { mapped { $0.lowercaseMapping } }

  /// The first character as a title has it, the others small.
  var capitalized: Text {
    var text = Text(letters.prefix(1)).mapped { $0.titlecaseMapping }
    text.append(Text(letters.dropFirst()).lowercased)
    return text
  }

  /// Every run of letters capitalised, as Python's `str.title` does.
  var titled: Text {
    var text = Text()
    var isInWord = false
    for letter in letters {
      let properties = letter.scalar.properties
      let mapped = isInWord ? properties.lowercaseMapping : properties.titlecaseMapping
      text.append(mapped, letter.origin)
      isInWord = properties.isCased
    }
    return text
  }

  /// Every word capitalised, where words begin after white space and opening brackets or a hyphen,
  /// as jinja2's filter `title` does.
  var titledByWords: Text {
    var text = Text()
    var isInWord = false
    for letter in letters {
      let properties = letter.scalar.properties
      let isBreak = letter.isSpace || "-({[<".unicodeScalars.contains(letter.scalar)
      let mapped = isInWord ? properties.lowercaseMapping : properties.uppercaseMapping
      text.append(mapped, letter.origin)
      isInWord = !isBreak
    }
    return text
  }

  /// Whether there is a letter with a case, and none of another case than `isUpper` says.
  func isCased(upper isUpper: Bool) -> Bool {
    var hasCase = false
    for letter in letters {
      let properties = letter.scalar.properties
      if properties.generalCategory == .titlecaseLetter { return false }
      if isUpper ? properties.isLowercase : properties.isUppercase { return false }
      if isUpper ? properties.isUppercase : properties.isLowercase { hasCase = true }
    }
    return hasCase
  }

  private func mapped(_ mapping: (Unicode.Scalar.Properties) -> String) -> Text {
    var text = Text()
    text.letters.reserveCapacity(count)
    for letter in letters {
      text.append(mapping(letter.scalar.properties), letter.origin)
    }
    return text
  }
}
