import Foundation
import MoECore
import MoEServer
import Testing

/// Dates of headers, beside Foundation's.
@Suite struct HTTPDateTests {
  @Test func isThatOfTheStandard() {
    #expect(HTTPDate.text(unixSeconds: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
  }

  @Test func isFoundationsDate() {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    var random = SeededGenerator(seed: 1)
    var times = (0..<500).map { _ in Int.random(in: 0...7_000_000_000, using: &random) }
    // The last and the first seconds of days around leap days.
    for year in [1972, 2000, 2024, 2100] {
      let day = (year - 1970) * 365 + (year - 1969) / 4 + 58
      times += [day * 86_400, (day + 1) * 86_400 - 1, (day + 1) * 86_400, (day + 2) * 86_400]
    }
    for time in times {
      let date = Date(timeIntervalSince1970: Double(time))
      #expect(HTTPDate.text(unixSeconds: time) == formatter.string(from: date))
    }
  }
}
