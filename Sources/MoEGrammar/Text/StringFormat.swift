/// The formats of strings that are enforced, as regular expressions of the whole string.
///
/// Each is a part of what its standard allows that all known checkers accept: dates that exist,
/// from year 1 on (RFC 3339, without leap seconds), UUIDs (RFC 4122), mail addresses without quotes
/// or comments (RFC 5321), host names (RFC 1123), addresses (RFC 2673, RFC 4291), absolute URIs
/// (RFC 3986), durations (RFC 3339, appendix A). Other formats are annotations.
enum StringFormat {
  static func pattern(named name: String) -> String? {
    switch name {
    case "date": "^\(date)$"
    case "time": "^\(time)$"
    case "date-time": "^\(date)T\(time)$"
    case "duration": "^\(duration)$"
    case "uuid": "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
    case "email": "^\(atom)(?:\\.\(atom))*@\(label)(?:\\.\(label))+$"
    case "hostname": "^\(label)(?:\\.\(label))*$"
    case "ipv4": "^\(octet)(?:\\.\(octet)){3}$"
    case "ipv6": "^(?:\(ipv6))$"
    case "uri": "^\(uri)$"
    default: nil
    }
  }

  private static let date: String = {
    let year = "(?:000[1-9]|00[1-9]\\d|0[1-9]\\d\\d|[1-9]\\d{3})"
    let day28 = "(?:0[1-9]|1\\d|2[0-8])"
    let common =
      "\(year)-(?:(?:0[13578]|1[02])-(?:\(day28)|29|30|31)|(?:0[469]|11)-(?:\(day28)|29|30)"
      + "|02-\(day28))"
    // Divisible by four: but for whole centuries, and by four hundred.
    let byFour = "(?:0[48]|[2468][048]|[13579][26])"
    let leapYear = "(?:\\d\\d\(byFour)|\(byFour)00)"
    return "(?:\(common)|\(leapYear)-02-29)"
  }()

  private static let hour = "(?:[01]\\d|2[0-3])"
  private static let time =
    "\(hour):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+\\-]\(hour):[0-5]\\d)"

  private static let duration: String = {
    let number = "\\d{1,9}"
    let day = "\(number)D"
    let month = "\(number)M(?:\(day))?"
    let year = "\(number)Y(?:\(month))?"
    let second = "\(number)S"
    let minute = "\(number)M(?:\(second))?"
    let hour = "\(number)H(?:\(minute))?"
    let time = "T(?:\(hour)|\(minute)|\(second))"
    return "P(?:(?:\(year)|\(month)|\(day))(?:\(time))?|\(time)|\(number)W)"
  }()

  private static let atom = "[A-Za-z0-9_%+\\-]+"
  private static let label = "[A-Za-z0-9](?:[A-Za-z0-9\\-]{0,61}[A-Za-z0-9])?"
  private static let octet = "(?:\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])"

  private static let ipv6: String = {
    let part = "[0-9a-fA-F]{1,4}"
    // Eight parts, or fewer around one ::.
    var forms = ["(?:\(part):){7}\(part)", "(?:\(part):){1,7}:", ":(?::\(part)){1,7}", "::"]
    for behind in 1...6 {
      forms.append("(?:\(part):){1,\(7 - behind)}(?::\(part)){1,\(behind)}")
    }
    return forms.joined(separator: "|")
  }()

  private static let uri: String = {
    let character = "(?:[A-Za-z0-9\\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
    let host = "[A-Za-z0-9](?:[A-Za-z0-9.\\-]*[A-Za-z0-9])?"
    let path = "(?:/\(character)*)*"
    let hierarchy =
      "(?://\(host)(?::\\d{1,5})?\(path)|/\(character)+\(path)|\(character)+\(path))"
    let rest = "(?:[/?]|\(character))*"
    return "[A-Za-z][A-Za-z0-9+.\\-]*:\(hierarchy)(?:\\?\(rest))?(?:#\(rest))?"
  }()
}
