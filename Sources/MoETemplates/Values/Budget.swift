/// What a rendering has used of its limits.
final class Budget {
  private let stepCountMax: Int
  private let letterCountMax: Int
  private let depthMax: Int
  private var stepCount = 0
  private var letterCount = 0
  private var depth = 0

  /// - Parameter inputLetterCount: the size of the conversation, in characters.
  init(_ limits: TemplateLimits, inputLetterCount: Int) {
    let growth = inputLetterCount.multipliedSaturating(by: TemplateLimits.growthPerInputLetter)
    stepCountMax = limits.stepCountMax.addingSaturating(growth)
    letterCountMax = limits.letterCountMax.addingSaturating(growth)
    depthMax = limits.depthMax
  }

  func step(_ count: Int = 1) throws(TemplateError) {
    stepCount = stepCount.addingSaturating(count)
    if stepCount > stepCountMax {
      throw TemplateError(.limit, "the template takes more than \(stepCountMax) steps")
    }
  }

  /// Before so many characters are made.
  func spend(letters count: Int) throws(TemplateError) {
    letterCount = letterCount.addingSaturating(count)
    if letterCount > letterCountMax {
      throw TemplateError(.limit, "the template makes more than \(letterCountMax) characters")
    }
  }

  /// Before so many elements of lists are made.
  func spend(elements count: Int) throws(TemplateError) {
    try spend(letters: count.multipliedSaturating(by: 8))
  }

  /// Goes one level down; `leave` must follow where this doesn't throw.
  func enter() throws(TemplateError) {
    if depth >= depthMax {
      throw TemplateError(.limit, "the template nests or recurses more than \(depthMax) deep")
    }
    depth += 1
    try step()
  }

  func leave() { depth -= 1 }
}

extension Int {
  func addingSaturating(_ other: Int) -> Int {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? (other > 0 ? .max : .min) : sum
  }

  /// For factors that are not negative.
  func multipliedSaturating(by other: Int) -> Int {
    let (product, overflows) = multipliedReportingOverflow(by: other)
    return overflows ? .max : product
  }
}
