#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// The system's words for an `errno` value.
package func systemMessage(_ code: Int32) -> String {
  guard let text = unsafe strerror(code) else { return "error \(code)" }
  return unsafe String(cString: text)
}
