/// The version of the package, as its programs and libraries tell it.
package enum RuntimeVersion {
  package static let text: StaticString = "0.1.0"
}
