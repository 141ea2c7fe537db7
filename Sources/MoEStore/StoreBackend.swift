package import MoECore
package import MoEPlatform

/// One read of a run of bytes into memory, as a backend sees it.
@safe package struct StoreRequest {
  package var fileIndex: Int
  package var offset: Int
  package var byteCount: Int
  /// `byteCount` bytes that nobody else touches until the completion was reaped.
  package var destination: UnsafeMutableRawPointer
  /// Comes back with the completion.
  package var tag: Int

  package init(
    fileIndex: Int, offset: Int, byteCount: Int, destination: UnsafeMutableRawPointer, tag: Int
  ) {
    self.fileIndex = fileIndex
    self.offset = offset
    self.byteCount = byteCount
    unsafe self.destination = destination
    self.tag = tag
  }
}

/// The end of one read.
package struct StoreCompletion: Sendable {
  package var tag: Int
  /// Bytes read, which may be fewer than wanted, or a negative errno value.
  package var result: Int

  package init(tag: Int, result: Int) {
    self.tag = tag
    self.result = result
  }
}

/// The raw mechanism that moves bytes from files to memory: no policy, no retries.
///
/// One thread at a time owns a backend. `ExtentReader` keeps the contract: at most `depth` requests
/// under way; file offset, byte count and memory address of each a multiple of `alignment` (memory:
/// of `ReadPlacement.alignmentMax` at most); requests under way do not overlap in memory.
package protocol StoreBackend: AnyObject {
  /// The name in the registry.
  var name: String { get }
  /// A power of two; 1 where any offset will do. A reader refuses a backend that wants more than
  /// `ReadPlacement.alignmentMax`.
  var alignment: Int { get }
  /// How many requests may be under way.
  var depth: Int { get }
  /// For the report of a run: how it reads, and what it could not get.
  var report: String { get }

  /// Starts reads. They may complete in any order, short, or with an error. Throws only where none
  /// of them will ever complete.
  /// After `submit` or `reap` has thrown, nobody knows what is under way: both go on throwing.
  func submit(_ requests: UnsafeBufferPointer<StoreRequest>) throws(StoreError)

  /// Takes completions, as many as fit, and returns how many. With `waiting`, returns only when
  /// there is at least one or a signal interrupted the wait; the caller waits only while requests
  /// are under way.
  func reap(
    into completions: UnsafeMutableBufferPointer<StoreCompletion>, waiting: Bool
  ) throws(StoreError) -> Int

  /// Tells of memory that many reads will go to. A backend may use it to save work; whether it
  /// could is in its `report`. Called with nothing under way.
  func registerBuffers(_ regions: [ByteView])

  /// What a file is now.
  func identity(ofFile index: Int) throws(StoreError) -> FileIdentity
}

extension StoreBackend {
  package func registerBuffers(_ regions: [ByteView]) {}
}
