/// Where the content of a turn begins, behind what a model says to itself.
package struct ContentStart: Hashable, Sendable {
  /// What opens a section of thinking, if the turn begins with it; nil where one is open, or comes
  /// in any case.
  package let opening: String?
  /// What the content comes behind.
  package let closing: String

  package init(opening: String?, closing: String) {
    self.opening = opening
    self.closing = closing
  }
}

extension OutputStyle {
  /// Where content begins in a turn of the named styles; nil: at once.
  ///
  /// - Parameter startsInThinking: Whether the prompt has opened a section of thinking.
  package static func contentStart(
    styles names: [String], startsInThinking: Bool
  ) -> ContentStart? {
    let styles = names.compactMap { OutputStyleRegistry.style(named: $0) }
    if let marker = styles.compactMap(\.contentMarker).first {
      return ContentStart(opening: nil, closing: marker)
    }
    return styles.compactMap(\.thinking).first.map {
      ContentStart(opening: startsInThinking ? nil : $0.opening, closing: $0.closing)
    }
  }
}
