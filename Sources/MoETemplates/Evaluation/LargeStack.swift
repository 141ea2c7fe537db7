#if canImport(Glibc)
  private import Glibc
#elseif canImport(Musl)
  private import Musl
#endif
private import Synchronization

/// Does work on a thread of its own and waits for it.
///
/// Reading and running a template recurse as deep as `TemplateLimits.depthMax`, which takes some
/// kilobytes of stack a level in a debug build and more under a sanitizer. The caller's thread may
/// have too little left; this stack is large enough for all of them, and only what is touched of it
/// is memory. Throws `limit` where the system gives no thread.
func withLargeStack<Success: Sendable>(
  _ body: @escaping @Sendable () throws(TemplateError) -> Success
) throws(TemplateError) -> Success {
  let outcome = Outcome<Success>()
  let job = Job {
    do throws(TemplateError) {
      outcome.set(try body())
    } catch {
      outcome.set(error)
    }
  }
  let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
  unsafe pthread_attr_init(attributes)
  defer {
    unsafe pthread_attr_destroy(attributes)
    unsafe attributes.deallocate()
  }
  unsafe pthread_attr_setstacksize(attributes, stackByteCount)
  var thread: pthread_t = 0
  let reference = unsafe Unmanaged.passRetained(job)
  let code = unsafe pthread_create(
    &thread, attributes,
    { reference in
      guard let reference = unsafe reference else { return nil }
      unsafe Unmanaged<Job>.fromOpaque(reference).takeRetainedValue().body()
      return nil
    }, reference.toOpaque())
  guard code == 0 else {
    unsafe reference.release()
    throw TemplateError(.limit, "the system gives no thread for a template (error \(code))")
  }
  pthread_join(thread, nil)
  guard let value = try outcome.value else {
    throw TemplateError(.limit, "the thread of a template ended without a result")
  }
  return value
}

/// A level takes up to 8 KiB in a debug build, so 250 levels take 2 MiB; sanitizers double or
/// triple that.
private let stackByteCount = 16 << 20

private final class Job: Sendable {
  let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// What came of a job. In two places: of an enum whose cases have different sizes the compiler
/// tests bytes that only one of them writes, which is harmless, and which valgrind reports.
private final class Outcome<Success: Sendable>: Sendable {
  private let success = Mutex<Success?>(nil)
  private let failure = Mutex<TemplateError?>(nil)

  var value: Success? {
    get throws(TemplateError) {
      if let error = failure.withLock({ $0 }) { throw error }
      return success.withLock { $0 }
    }
  }

  func set(_ value: Success) { success.withLock { $0 = value } }

  func set(_ error: TemplateError) { failure.withLock { $0 = error } }
}
