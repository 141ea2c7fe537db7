import Foundation
import Glibc
import MoERuntime
import MoETestSupport
import Testing

/// Engines in processes that may not do what others may, and whose system calls fail.
@Suite struct EngineRestrictionTests {
  @Test func goesOnWithThreadsWhereIOUringIsForbidden() async {
    await #expect(processExitsWith: .success) {
      let model = try ModelFolder()
      let expected = try await EngineRun(model.path, store: .memory).generate()
      try SystemCallFilter.fail(.ioUringSetup, with: EPERM)
      let run = try await EngineRun(model.path)
      #expect(run.engine.plan.store.hasPrefix("pread"))
      #expect(run.engine.plan.store.contains("ring not taken: io_uring: Operation not permitted"))
      #expect(try await run.generate() == expected)
      let error = await #expect(throws: EngineError.self) {
        _ = try await EngineRun(model.path, store: .ring)
      }
      #expect(error?.description.contains("cannot be used here") == true)
    }
  }

  @Test func goesOnWhereMemoryMayNotBeLocked() async {
    await #expect(processExitsWith: .success) {
      let model = try ModelFolder()
      let expected = try await EngineRun(model.path, store: .memory).generate()
      var none = rlimit(rlim_cur: 0, rlim_max: 0)
      try #require(unsafe setrlimit(__rlimit_resource_t(8), &none) == 0)  // RLIMIT_MEMLOCK
      // The superuser may lock without limit.
      try await withoutPrivileges(model) {
        let run = try await EngineRun(model.path)
        #expect(
          ["buffers not registered: Cannot allocate", "ring not taken"]
            .contains(where: run.engine.plan.store.contains), "\(run.engine.plan.store)")
        #expect(try await run.generate() == expected)
      }
    }
  }

  @Test func tellsWhenTooFewFilesMayBeOpen() async {
    await #expect(processExitsWith: .success) {
      let model = try ModelFolder()
      let expected = try await EngineRun(model.path, store: .memory).generate()
      let next = dup(0)
      close(next)
      var wasRefused = false
      var ran = false
      // From not even the file to enough for file, ring and everything else.
      for count in rlim_t(next)...rlim_t(next) + 8 {
        var few = rlimit(rlim_cur: count, rlim_max: 1024)
        try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &few) == 0)
        do {
          #expect(try await EngineRun(model.path).generate() == expected)
          ran = true
        } catch let error as EngineError {
          wasRefused = true
          #expect(error.description.contains("Too many open files"))
          #expect(error.description.contains(model.path))
        }
      }
      #expect(wasRefused && ran)
      // A sanitizer opens files at the end.
      var enough = rlimit(rlim_cur: 1024, rlim_max: 1024)
      try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &enough) == 0)
    }
  }

  @Test func tellsWhenTheFileMayNotBeRead() async {
    await #expect(processExitsWith: .success) {
      let model = try ModelFolder()
      try #require(unsafe chmod(model.path, 0) == 0)
      try await withoutPrivileges(model) {
        let error = await #expect(throws: EngineError.self) { _ = try await EngineRun(model.path) }
        #expect(error?.description.contains(model.path) == true)
        #expect(error?.description.contains("Permission denied") == true)
      }
    }
  }

  @Test func signalsThatInterruptSystemCallsChangeNothing() async {
    await #expect(processExitsWith: .success) {
      let model = try ModelFolder()
      let expected = try await EngineRun(model.path, store: .memory).generate()
      var action = sigaction()
      unsafe action.__sigaction_handler.sa_handler = { _ in }
      // Without SA_RESTART, so that calls come back with EINTR.
      action.sa_flags = 0
      try #require(unsafe sigaction(SIGALRM, &action, nil) == 0)
      let interval = timeval(tv_sec: 0, tv_usec: 500)
      var timer = itimerval(it_interval: interval, it_value: interval)
      try #require(unsafe setitimer(__itimer_which_t(0), &timer, nil) == 0)  // ITIMER_REAL
      var runs = [
        try await EngineRun(model.path), try await EngineRun(model.path, store: .buffered),
      ]
      if let run = try? await EngineRun(model.path, store: .pread) { runs.append(run) }
      for _ in 0..<5 {
        for run in runs { #expect(try await run.generate() == expected) }
      }
    }
  }

  @Test func readsThatFailEndInAnErrorThatStays() async {
    await #expect(processExitsWith: .success) {
      try await failReads(
        with: EIO, expecting: "failed: Input/output error", "check the system's log")
    }
  }

  @Test func readsThatAreInterruptedForEverEndInAnError() async {
    await #expect(processExitsWith: .success) {
      try await failReads(with: EINTR, expecting: "failed 100 times: Interrupted", "check the disk")
    }
    await #expect(processExitsWith: .success) {
      try await failReads(with: EAGAIN, expecting: "failed 100 times: Resource", "check the disk")
    }
  }

  @Test func aRingThatFailsEndsInAnErrorThatStays() async throws {
    let model = try ModelFolder()
    _ = try await EngineRun.orCancel(model.path, store: .ring)
    for code in [EIO, ENOMEM, EAGAIN] {
      await #expect(processExitsWith: .success) { [code = code as Int32] in
        let model = try ModelFolder()
        let ring = try await EngineRun(model.path, store: .ring)
        let threads = try await EngineRun(model.path, store: .pread)
        let expected = try await threads.generate()
        #expect(try await ring.generate() == expected)
        try SystemCallFilter.fail(.ioUringEnter, with: code)
        let error = await #expect(throws: EngineError.self) { try await ring.generate() }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("the store backend 'ring' failed: "))
        #expect(text.contains("with another backend"))
        let again = await #expect(throws: EngineError.self) { try await ring.generate() }
        #expect(again?.description == text)
        #expect(try await threads.generate() == expected)
      }
    }
  }
}

/// In a process of its own: runs `body` without the superuser's rights; the model's folder stays
/// until they are back, since its removal needs them.
private func withoutPrivileges(
  _ model: ModelFolder, _ body: () async throws -> Void
) async throws {
  let user = geteuid()
  if user == 0 { try #require(seteuid(65534) == 0) }
  defer {
    if user == 0 { seteuid(0) }
    withExtendedLifetime(model) {}
  }
  try await body()
}

/// In a process of its own: makes every `pread` fail while engines are loaded.
private func failReads(with code: Int32, expecting reason: String, _ advice: String) async throws {
  let model = try ModelFolder()
  var runs: [EngineRun] = []
  for store in [Store.pread, .buffered, .memory] {
    runs.append(try await EngineRun(model.path, store: store))
  }
  let expected = try await runs[0].generate()
  try SystemCallFilter.fail(.pread, with: code)
  for run in runs.dropLast() {
    let error = await #expect(throws: EngineError.self) { try await run.generate() }
    let text = error?.description ?? ""
    #expect(text.hasPrefix("\(model.path): reading "))
    #expect(text.contains(reason) && text.contains(advice), "\(text)")
    let again = await #expect(throws: EngineError.self) { try await run.generate() }
    #expect(again?.description == text)
  }
  // Needs the disk no more.
  #expect(try await runs[2].generate() == expected)
}
