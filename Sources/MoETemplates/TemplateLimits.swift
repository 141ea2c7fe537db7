/// What a template, which comes from a file of unknown origin, may cost.
///
/// Step and letter counts grow with the conversation, because a template's work does.
package struct TemplateLimits: Hashable, Sendable {
  /// Bytes of a template's source. Published templates have less than 32 KiB.
  package var sourceByteCountMax = 1 << 20
  /// Expressions, statements and calls in each other, while reading and while running.
  ///
  /// A value nested in JSON costs a macro that writes it about eight levels.
  package var depthMax = 250
  /// Statements, expressions and visited values of one rendering.
  package var stepCountMax = 1_000_000
  /// Characters (4 bytes each) that one rendering makes, kept or not; an element of a list counts
  /// as eight.
  package var letterCountMax = 8 << 20
  /// Bytes of one rendering's output.
  package var outputByteCountMax = 32 << 20

  package init() {}

  /// Values in values: what a JSON text or a template may build.
  static let nestingMax = 64
  /// The elements of one `range`, as in jinja2's sandbox.
  static let rangeCountMax = 100_000
  /// How many more steps and letters each character of a conversation allows.
  static let growthPerInputLetter = 64
}
