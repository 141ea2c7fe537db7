import Foundation

/// Whether the tests run where nothing that they need may be missing: `CI` is set, and not empty.
package enum ContinuousIntegration {
  package static var isOn: Bool {
    !(ProcessInfo.processInfo.environment["CI"] ?? "").isEmpty
  }
}
