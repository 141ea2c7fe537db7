#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// One axis of a chart: what it measures, and where its ticks are.
struct ChartAxis {
  enum Scale {
    case linear
    /// Values must be above 0.
    case logarithmic
  }

  struct Tick {
    let value: Double
    let label: String
  }

  let title: String
  let scale: Scale
  let range: ClosedRange<Double>
  let ticks: [Tick]

  init(_ title: String, scale: Scale = .linear, range: ClosedRange<Double>, ticks: [Tick]) {
    self.title = title
    self.scale = scale
    self.range =
      range.lowerBound < range.upperBound
      ? range : range.lowerBound...range.lowerBound + 1
    self.ticks = ticks
  }

  /// Shares from 0 to 100 %.
  static func share(_ title: String) -> ChartAxis {
    ChartAxis(
      title, range: 0...1,
      ticks: [0, 0.2, 0.4, 0.6, 0.8, 1].map { Tick(value: $0, label: "\(Int($0 * 100 + 0.5)) %") })
  }

  /// From 0 to at least the largest value, with some four round ticks.
  static func fromZero(
    _ title: String, to largest: Double, label: (Double) -> String = Figures.plain
  ) -> ChartAxis {
    let largest = largest.isFinite && largest > 0 ? largest : 1
    let power = pow(10, floor(log10(largest / 4)))
    let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { largest / $0 <= 5 } ?? largest
    let count = Int((largest / step).rounded(.up))
    return ChartAxis(
      title, range: 0...step * Double(count),
      ticks: (0...count).map { Tick(value: step * Double($0), label: label(step * Double($0))) })
  }

  /// Round ticks about some values, not from 0.
  static func around(_ title: String, _ values: [Double]) -> ChartAxis {
    let found = values.filter(\.isFinite)
    guard let least = found.min(), let most = found.max(), most > least else {
      let value = found.first ?? 0
      return ChartAxis(
        title, range: value - 0.5...value + 0.5,
        ticks: [Tick(value: value, label: Figures.plain(value))])
    }
    let power = pow(10, floor(log10((most - least) / 4)))
    let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { (most - least) / $0 <= 5 } ?? power
    let (first, last) = (floor(least / step), ceil(most / step))
    return ChartAxis(
      title, range: first * step...last * step,
      ticks: stride(from: first, through: last, by: 1).map {
        Tick(value: $0 * step, label: Figures.plain($0 * step))
      })
  }

  /// A tick at each of some values, at even distances where each is twice the one before.
  static func logarithmic(
    _ title: String, _ values: [Double], label: (Double) -> String = Figures.plain
  ) -> ChartAxis {
    let found = values.filter { $0 > 0 && $0.isFinite }
    guard let least = found.min(), let most = found.max() else {
      return ChartAxis(title, range: 0...1, ticks: [])
    }
    return ChartAxis(
      title, scale: .logarithmic, range: least...max(most, least * 2),
      ticks: found.map { Tick(value: $0, label: label($0)) })
  }

  /// Where a value lies, from 0 at the lower end to 1 at the upper; 0 for what lies nowhere.
  func position(_ value: Double) -> Double {
    let (low, high) = (range.lowerBound, range.upperBound)
    let share =
      switch scale {
      case .linear: (value - low) / (high - low)
      case .logarithmic: log(max(value, low) / low) / log(high / low)
      }
    return share.isFinite ? min(max(share, 0), 1) : 0
  }
}
