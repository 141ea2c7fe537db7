internal import MoECore

/// The keywords of several schemas that all have to fit, without their choices.
struct JoinedKeywords {
  let schemas: [Int]
  let parts: [SchemaKeywords]
  private(set) var types: JSONTypes = .all
  private(set) var hasTypes = false
  private(set) var values: [ListedValues] = []
  private(set) var numbers = NumberRange()
  /// Nil where no count fits.
  private(set) var lengths: CountRange? = CountRange()
  private(set) var itemCounts: CountRange? = CountRange()
  private(set) var propertyCounts: CountRange? = CountRange()
  /// Regular expressions, and those of formats.
  private(set) var patterns: [String] = []
  private(set) var formatPatterns: [String] = []
  private var concernedTypes: JSONTypes = []

  init(_ schemas: [Int], _ document: inout SchemaDocument) throws(GrammarError) {
    self.schemas = schemas
    var parts: [SchemaKeywords] = []
    for schema in schemas { parts.append(try document.keywords(of: schema)) }
    self.parts = parts
    for part in parts {
      if let types = part.types {
        self.types.formIntersection(types)
        hasTypes = true
      }
      if !part.isPossible { types = [] }
      concernedTypes.formUnion(part.concernedTypes)
      values += part.values
      if let lower = part.numbers.lower { numbers.raiseLower(to: lower) }
      if let upper = part.numbers.upper { numbers.reduceUpper(to: upper) }
      lengths = lengths?.intersection(part.lengths)
      itemCounts = itemCounts?.intersection(part.itemCounts)
      propertyCounts = propertyCounts?.intersection(part.propertyCounts)
      if let pattern = part.pattern { patterns.append(pattern) }
      if let format = part.format, let pattern = StringFormat.pattern(named: format) {
        formatPatterns.append(pattern)
      }
    }
  }

  /// What strings have to match, without order and repetition.
  var allPatterns: [String] {
    Set((patterns + formatPatterns).map { ExactText($0) }).map(\.text).sorted()
  }

  /// The types of values that are written. Where no `type` is given, those that keywords are about:
  /// whoever lists properties means an object.
  var writtenTypes: JSONTypes {
    hasTypes || concernedTypes.isEmpty ? types : types.intersection(concernedTypes)
  }
}
