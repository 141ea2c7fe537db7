#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// The process that runs this.
package enum CurrentProcess {
  package static var id: Int32 { getpid() }
}
