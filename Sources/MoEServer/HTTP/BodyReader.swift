import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// Reads bodies of requests, within bounds on one and on all that are held at the same time.
final class BodyReader: Sendable {
  let byteCountMax: Int
  private let byteCountMaxOfAll: Int
  private let heldByteCount = Mutex(0)

  /// What may be held of bodies and of what was read from them: four of the largest, and not too
  /// little.
  private static let largestBodyCount = 4
  private static let heldByteCountLeast = 128 << 20

  init(byteCountMax: Int) {
    self.byteCountMax = byteCountMax
    byteCountMaxOfAll = max(byteCountMax * Self.largestBodyCount, Self.heldByteCountLeast)
  }

  /// What a request sends, before it has.
  func check(_ headers: HTTPFields) throws(APIError) {
    if let text = headers[.contentLength], let length = Int(text), length > byteCountMax {
      throw tooLarge
    }
    if let encoding = headers[.contentEncoding], encoding.lowercased() != "identity" {
      throw APIError(
        status: 415, type: "invalid_request_error",
        message: "bodies in a content encoding are not read; send the body as it is",
        code: "unsupported_encoding")
    }
    if let expected = headers[.expect], expected.lowercased() != "100-continue" {
      throw APIError(
        status: 417, type: "invalid_request_error",
        message: "of expectations only 100-continue can be met", code: "expectation_failed")
    }
  }

  /// Reads a body and does something with it.
  func withBody<Value>(
    _ body: RequestBody, _ use: ([UInt8], BodyMemory) async throws -> Value
  ) async throws -> Value {
    var bytes: [UInt8] = []
    var (isTooLarge, discarded) = (false, 0)
    let memory = BodyMemory(self)
    defer { memory.release() }
    do {
      for try await part in body {
        if isTooLarge || bytes.count + part.readableBytes > byteCountMax {
          // Read to its end, so that the client reads the answer.
          isTooLarge = true
          discarded += part.readableBytes
          if discarded > 2 * byteCountMax { throw tooLarge }
          continue
        }
        try memory.reserve(part.readableBytes)
        bytes.append(contentsOf: part.readableBytesView)
      }
    } catch let error as APIError {
      throw error
    } catch {
      throw APIError.clientLeft
    }
    if isTooLarge { throw tooLarge }
    return try await use(bytes, memory)
  }

  /// Takes what a refused request still sends, so that its client reads the refusal. Throws, which
  /// closes the connection, where that is too much.
  func discard(_ body: RequestBody) async throws {
    var count = 0
    for try await part in body {
      count += part.readableBytes
      if count > 2 * byteCountMax { throw tooLarge }
    }
  }

  private var tooLarge: APIError {
    APIError(
      status: 413, type: "invalid_request_error",
      message: "the body is larger than \(byteCountMax) bytes, the most that is taken",
      code: "body_too_large")
  }

  fileprivate func reserve(_ count: Int) -> Bool {
    heldByteCount.withLock { held in
      guard held + count <= byteCountMaxOfAll else { return false }
      held += count
      return true
    }
  }

  fileprivate func release(_ count: Int) { heldByteCount.withLock { $0 -= count } }
}

/// What one request's body takes.
final class BodyMemory: Sendable {
  private let reader: BodyReader
  private let byteCount = Mutex(0)

  init(_ reader: BodyReader) { self.reader = reader }

  func reserve(_ count: Int) throws(APIError) {
    guard reader.reserve(count) else {
      throw .unavailable(
        "too many large requests at the same time; try again soon", code: "body_memory")
    }
    byteCount.withLock { $0 += count }
  }

  func release() {
    reader.release(
      byteCount.withLock { count in
        defer { count = 0 }
        return count
      })
  }
}
