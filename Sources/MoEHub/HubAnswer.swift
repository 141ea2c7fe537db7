#if TLS
  import AsyncHTTPClient
  private import NIOCore
  private import NIOHTTP1

  /// An answer whose body is still to come.
  struct HubAnswer: Sendable {
    /// What the hub says of a file that it redirects to.
    struct Linked: Sendable {
      var byteCount: Int?
    }

    /// 200, 206 or 416.
    let status: Int
    let host: String
    let linked: Linked
    private let headers: HTTPHeaders
    private let body: HTTPClientResponse.Body

    init(_ answer: HTTPClientResponse, status: Int, host: String, linked: Linked) {
      (headers, body) = (answer.headers, answer.body)
      (self.status, self.host, self.linked) = (status, host, linked)
    }

    /// The first value of a header.
    func header(_ name: String) -> String? { headers.first(name: name) }

    /// Bytes that are to come, if the answer says.
    var byteCount: Int? { header("content-length").flatMap { Int($0) } }

    /// The part of the file that the answer has, and the size of the whole; nil where it does not
    /// say so as RFC 9110, section 14.4 has it. The size is nil for `*`.
    var contentRange: (bytes: ClosedRange<Int>, total: Int?)? {
      guard let match = header("content-range")?.wholeMatch(of: /bytes ([0-9]+)-([0-9]+)\/(.+)/),
        let first = Int(match.1), let last = Int(match.2), first <= last
      else { return nil }
      return (first...last, Int(match.3))
    }

    /// An entity tag by which one state of the file is known to the byte.
    var strongTag: String? {
      header("etag").flatMap { $0.hasPrefix("\"") && $0.utf8.count <= 1024 ? $0 : nil }
    }

    /// Hands the body to a closure as it arrives, until that returns false.
    func forEachPart(
      of what: String, _ take: (UnsafeRawBufferPointer) throws(HubError) -> Bool
    ) async throws(HubError) {
      var parts = body.makeAsyncIterator()
      while true {
        let part: ByteBuffer?
        do {
          part = try await parts.next()
        } catch {
          throw TransportReason(error).brokenOff(what)
        }
        guard let part else { return }
        var outcome = Result<Bool, HubError>.success(true)
        unsafe part.withUnsafeReadableBytes { bytes in
          do throws(HubError) {
            outcome = .success(try unsafe take(bytes))
          } catch {
            outcome = .failure(error)
          }
        }
        guard try outcome.get() else { return }
      }
    }

    /// The body's first bytes, at most so many.
    func bytes(atMost byteCountMax: Int, of what: String) async throws(HubError) -> [UInt8] {
      var bytes: [UInt8] = []
      try await unsafe forEachPart(of: what) { part throws(HubError) in
        unsafe bytes.append(contentsOf: part.prefix(byteCountMax - bytes.count))
        return bytes.count < byteCountMax
      }
      return bytes
    }
  }
#endif
