import FoundationEssentials

/// The time that `strftime_now` tells, which is a parameter so that a rendering can be repeated.
struct TemplateClock: Sendable {
  private let parts: DateComponents

  init(date: Date, timeZone: TimeZone) {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = timeZone
    parts = calendar.dateComponents(
      [.year, .month, .day, .hour, .minute, .second, .weekday, .dayOfYear], from: date)
  }

  private static let weekdays = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
  ]

  /// The format with its directives replaced, in C's locale. What replaces a directive has its
  /// origin.
  func text(in format: Text) throws(TemplateError) -> Text {
    var text = Text()
    var index = 0
    while index < format.count {
      let letter = format.letters[index]
      index += 1
      guard letter.scalar == "%", index < format.count else {
        text.letters.append(letter)
        continue
      }
      let isPadded = format.letters[index].scalar != "-"
      if !isPadded { index += 1 }
      let directive = index < format.count ? format.letters[index].scalar : "%"
      index += 1
      guard let value = value(of: directive, isPadded: isPadded) else {
        throw TemplateError(
          .unsupported, "unsupported: the directive '%\(directive)' of 'strftime_now'")
      }
      text.append(value, letter.origin)
    }
    return text
  }

  private func value(of directive: Unicode.Scalar, isPadded: Bool) -> String? {
    func number(_ value: Int?, _ count: Int, _ padding: String = "0") -> String {
      let digits = "\(value ?? 0)"
      if !isPadded { return digits }
      return String(repeating: padding, count: max(count - digits.count, 0)) + digits
    }
    func joined(_ directives: String, _ separator: String) -> String? {
      directives.unicodeScalars.compactMap { value(of: $0, isPadded: true) }
        .joined(separator: separator)
    }
    let hour = parts.hour ?? 0
    let weekday = Self.weekdays[((parts.weekday ?? 1) - 1) % 7]
    let month = Self.months[((parts.month ?? 1) - 1) % 12]
    switch directive {
    case "Y": return "\(parts.year ?? 0)"
    case "y": return number((parts.year ?? 0) % 100, 2)
    case "m": return number(parts.month, 2)
    case "d": return number(parts.day, 2)
    case "e": return number(parts.day, 2, " ")
    case "j": return number(parts.dayOfYear, 3)
    case "H": return number(hour, 2)
    case "I": return number((hour + 11) % 12 + 1, 2)
    case "M": return number(parts.minute, 2)
    case "S": return number(parts.second, 2)
    case "p": return hour < 12 ? "AM" : "PM"
    case "B": return month
    case "b", "h": return String(month.prefix(3))
    case "A": return weekday
    case "a": return String(weekday.prefix(3))
    case "w": return "\((parts.weekday ?? 1) - 1)"
    case "u": return "\(((parts.weekday ?? 1) + 5) % 7 + 1)"
    case "F": return joined("Ymd", "-")
    case "T": return joined("HMS", ":")
    case "R": return joined("HM", ":")
    case "D": return joined("mdy", "/")
    // Python's time without a zone, which is what transformers asks, has none to tell.
    case "z", "Z": return ""
    case "n": return "\n"
    case "t": return "\t"
    case "%": return "%"
    default: return nil
    }
  }
}
