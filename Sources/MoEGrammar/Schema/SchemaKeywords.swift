internal import MoECore

/// What one schema asks for, with the schemas in it by their numbers in the document.
struct SchemaKeywords: Sendable {
  /// False for the schema `false`, which nothing fits.
  var isPossible = true
  var reference: Int?
  var allOf: [Int] = []
  var choices: [Choice] = []

  var types: JSONTypes?
  /// The types that its keywords are about.
  var concernedTypes: JSONTypes = []
  /// What `enum` and `const` allow: lists of which each has to have the value.
  var values: [ListedValues] = []

  var numbers = NumberRange()

  var lengths = CountRange()
  var pattern: String?
  var format: String?

  var prefixItems: [Int]?
  var items: Int?
  var itemCounts = CountRange()

  var properties: [(name: ExactText, schema: Int)] = [] {
    didSet {
      propertyPlaces = [:]
      for (place, property) in properties.enumerated() { propertyPlaces[property.name] = place }
    }
  }
  private var propertyPlaces: [ExactText: Int] = [:]
  var required: [ExactText] = []
  var patternProperties: [(pattern: String, schema: Int)] = []
  var additionalProperties: Int?
  var propertyNames: Int?
  var propertyCounts = CountRange()

  /// `anyOf` or `oneOf`.
  struct Choice: Sendable {
    /// Unlike that of any other in the document.
    var number: Int
    var alternatives: [Int]
    /// Whether no more than one may fit.
    var isExclusive: Bool
    var pointer: String
  }

  /// Whether it asks for nothing by itself.
  var isEmpty: Bool {
    isPossible && types == nil && concernedTypes.isEmpty && values.isEmpty
  }

  func property(_ name: ExactText) -> Int? { propertyPlaces[name].map { properties[$0].schema } }

  var declaresMembers: Bool {
    !properties.isEmpty || !required.isEmpty || !patternProperties.isEmpty
  }
}
