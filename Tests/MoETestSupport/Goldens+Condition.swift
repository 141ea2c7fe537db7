import Foundation
package import Testing

extension Goldens {
  /// For suites that need goldens: skips them, and says so, where there are none. In an environment
  /// with `CI` they run and fail.
  ///
  /// Cancelling alone is not enough: cancelled cases of a parameterised test are not reported.
  package static var needed: ConditionTrait {
    .enabled(
      if: directory != nil || ProcessInfo.processInfo.environment["CI"] != nil,
      "no goldens; set MOE_GOLDENS to the folder with them")
  }
}
