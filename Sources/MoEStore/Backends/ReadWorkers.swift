private import MoECore
private import MoEPlatform

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// The threads of `ThreadedBackend` and the two queues between them and the owner.
///
/// Sendable because every mutable property is only touched with `mutex` held; what a request points
/// to belongs to the thread that took the request, until its completion is queued.
@safe final class ReadWorkers: @unchecked Sendable {
  private(set) var threadCount = 0
  private let descriptors: [Int32]
  private let dropsBehind: Bool
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let requestCame = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let completionCame = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var requests: FixedQueue<StoreRequest>
  private var completions: FixedQueue<StoreCompletion>
  private var isStopping = false
  private var threads: [pthread_t] = []

  /// Enough for `pread` and a signal-free call chain; the default of 8 MiB would only be reserved,
  /// but budgets are easier to explain without it.
  private static let stackByteCount = 256 << 10

  /// Throws `backendUnavailable` where the system gives no thread at all; fewer than asked will do.
  init(
    descriptors: [Int32], depth: Int, threadCount wanted: Int, dropsBehind: Bool,
    backendName: String
  ) throws(StoreError) {
    self.descriptors = descriptors
    self.dropsBehind = dropsBehind
    requests = FixedQueue(capacity: depth)
    completions = FixedQueue(capacity: depth)
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(requestCame, nil)
    unsafe pthread_cond_init(completionCame, nil)
    let code = startThreads(wanted)
    threadCount = threads.count
    guard threadCount > 0 else {
      throw .backendUnavailable(name: backendName, reason: .threads(code: code))
    }
  }

  deinit {
    unsafe pthread_cond_destroy(completionCame)
    unsafe pthread_cond_destroy(requestCame)
    unsafe pthread_mutex_destroy(mutex)
    unsafe completionCame.deallocate()
    unsafe requestCame.deallocate()
    unsafe mutex.deallocate()
  }

  /// Ends the threads; a read that one is in is waited for, one that none has taken is dropped.
  func stop() {
    unsafe pthread_mutex_lock(mutex)
    isStopping = true
    unsafe pthread_cond_broadcast(requestCame)
    unsafe pthread_mutex_unlock(mutex)
    for thread in threads { pthread_join(thread, nil) }
    threads = []
  }

  func submit(_ batch: UnsafeBufferPointer<StoreRequest>) {
    unsafe pthread_mutex_lock(mutex)
    for index in batch.indices { unsafe requests.append(batch[index]) }
    unsafe pthread_cond_broadcast(requestCame)
    unsafe pthread_mutex_unlock(mutex)
  }

  func reap(
    into target: UnsafeMutableBufferPointer<StoreCompletion>, waiting: Bool
  ) -> Int {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while waiting && completions.isEmpty { unsafe pthread_cond_wait(completionCame, mutex) }
    var count = 0
    while count < target.count, let completion = completions.popFirst() {
      unsafe target[count] = completion
      count += 1
    }
    return count
  }

  /// Returns the code of the first failure, or 0.
  private func startThreads(_ wanted: Int) -> Int32 {
    // Threads inherit the mask: signals are for the program's own threads to take.
    var all = sigset_t()
    var previous = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    unsafe pthread_attr_setstacksize(&attributes, Self.stackByteCount)
    for _ in 0..<wanted {
      var thread = pthread_t()
      // Unretained: `stop` joins the threads before the owner lets go of this object.
      let code = unsafe pthread_create(
        &thread, &attributes,
        { context in
          guard let context = unsafe context else { return nil }
          unsafe Unmanaged<ReadWorkers>.fromOpaque(context).takeUnretainedValue().work()
          return nil
        }, Unmanaged.passUnretained(self).toOpaque())
      if code != 0 { return code }
      threads.append(thread)
    }
    return 0
  }

  private func work() {
    unsafe pthread_mutex_lock(mutex)
    while true {
      while requests.isEmpty && !isStopping { unsafe pthread_cond_wait(requestCame, mutex) }
      guard !isStopping, let request = requests.popFirst() else { break }
      unsafe pthread_mutex_unlock(mutex)
      let result = perform(request)
      unsafe pthread_mutex_lock(mutex)
      completions.append(StoreCompletion(tag: request.tag, result: result))
      unsafe pthread_cond_signal(completionCame)
    }
    unsafe pthread_mutex_unlock(mutex)
  }

  private func perform(_ request: StoreRequest) -> Int {
    let descriptor = descriptors[request.fileIndex]
    let count = unsafe pread(
      descriptor, request.destination, request.byteCount, request.offset)
    guard count >= 0 else { return -Int(errno) }
    if dropsBehind {
      PageCacheAdvice.drop(request.offset..<request.offset + count, of: descriptor)
    }
    return count
  }
}
