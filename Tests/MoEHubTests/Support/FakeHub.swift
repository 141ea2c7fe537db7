#if TLS
  import Foundation
  import Synchronization

  /// A hub of the tests, and the store for files that it sends people to, each at a port of its
  /// own.
  ///
  /// It answers as the real one does; a closure may change any answer before it is sent.
  final class FakeHub: Sendable {
    struct Request: Sendable {
      /// Whether the store was asked, and not the hub.
      let isStore: Bool
      /// With its query.
      let path: String
      /// By names in small letters.
      let headers: [String: String]
      /// How often this path was asked for before, queries apart.
      let number: Int

      /// The first byte asked for; nil without a range.
      var rangeStart: Int? {
        headers["range"]?.wholeMatch(of: /bytes=([0-9]+)-[0-9]*/).flatMap { Int($0.1) }
      }
    }

    struct Answer: Sendable {
      var status = 200
      var headers: [String: String] = [:]
      var body: [UInt8] = []
      /// Bytes of the body after which the connection is cut; nil: none.
      var cut: Int?
      /// Whether nothing more comes behind `cut` and the connection stays, until the client leaves.
      var isHeld = false
      /// What the answer says that its body has; nil: nothing, and its end is that of the
      /// connection.
      var declaredByteCount: Int?
      /// Before each 16 KiB of the body.
      var pause: Duration = .zero

      init(status: Int = 200, headers: [String: String] = [:], body: [UInt8] = []) {
        (self.status, self.headers, self.body) = (status, headers, body)
        declaredByteCount = body.count
      }

      init(json: String) { self.init(body: Array(json.utf8)) }

      /// Another body, of which the answer says the truth.
      mutating func setBody(_ body: [UInt8]) {
        self.body = body
        declaredByteCount = body.count
      }
    }

    static let commit = String(repeating: "c0ffee12", count: 5)
    typealias Change = @Sendable (Request, inout Answer) -> Void

    /// By path in the model, with the digest that the hub lists.
    let files: [String: (content: [UInt8], digest: String)]
    private let pageCount: Int
    private let change: Change
    private let hub: Listener
    private let store: Listener
    private let asked = Mutex<[Request]>([])
    private let sent = Mutex((byteCount: 0, wholeCount: 0))

    /// - Parameter digest: Listed for every file in place of its own.
    init(
      _ files: [String: [UInt8]], pageCount: Int = 1, digest: String? = nil,
      change: @escaping Change = { _, _ in }
    ) throws {
      self.files = files.mapValues { ($0, digest ?? Digests.sha256($0)) }
      (self.pageCount, self.change) = (pageCount, change)
      (hub, store) = (try Listener(), try Listener())
      hub.start { [weak self] in self?.serve($0, isStore: false) }
      store.start { [weak self] in self?.serve($0, isStore: true) }
    }

    deinit {
      hub.stop()
      store.stop()
    }

    var endpoint: String { "http://127.0.0.1:\(hub.port)" }

    /// All that was asked for so far.
    var requests: [Request] { asked.withLock { $0 } }
    var storeRequests: [Request] { requests.filter(\.isStore) }
    /// Bytes of bodies that the store has sent.
    var sentByteCount: Int { sent.withLock { $0.byteCount } }
    /// Answers of the store that went out to their last byte.
    var wholeAnswerCount: Int { sent.withLock { $0.wholeCount } }

    private func serve(_ connection: Connection, isStore: Bool) {
      guard let (path, headers) = connection.readHead() else { return }
      let request = asked.withLock { asked in
        let name = path.prefix { $0 != "?" }
        let number = asked.count { $0.isStore == isStore && $0.path.prefix { $0 != "?" } == name }
        asked.append(Request(isStore: isStore, path: path, headers: headers, number: number))
        return asked[asked.count - 1]
      }
      var answer = isStore ? stored(request) : listed(request)
      change(request, &answer)
      let count = connection.send(answer)
      guard isStore else { return }
      let isWhole = count == answer.body.count
      sent.withLock { $0 = ($0.byteCount + count, $0.wholeCount + (isWhole ? 1 : 0)) }
    }

    private func listed(_ request: Request) -> Answer {
      let path = request.path.removingPercentEncoding ?? ""
      if path.hasSuffix("/revision/main") { return Answer(json: #"{"sha":"\#(Self.commit)"}"#) }
      if path.contains("/tree/\(Self.commit)?recursive=true") { return page(path) }
      guard
        let name = path.firstRange(of: "/resolve/\(Self.commit)/").map({ path[$0.upperBound...] }),
        let file = files[String(name)]
      else { return Answer(status: 404) }
      let encoded = request.path.split(separator: "/").dropFirst(4).joined(separator: "/")
      return Answer(
        status: 302,
        headers: [
          "Location": "http://127.0.0.1:\(store.port)/store/\(encoded)?signed=\(request.number)",
          "X-Linked-Size": "\(file.content.count)", "X-Linked-Etag": "\"\(file.digest)\"",
          "X-Repo-Commit": Self.commit,
        ])
    }

    private func page(_ path: String) -> Answer {
      let number = path.split(separator: "cursor=").dropFirst().first.flatMap { Int($0) } ?? 0
      let names = files.keys.sorted()
      let entries = names.indices.filter { $0 % pageCount == number }.map { index in
        let file = files[names[index]] ?? ([], "")
        return #"{"type":"file","oid":"x","size":\#(file.content.count),"path":"\#(names[index])","#
          + #""lfs":{"oid":"\#(file.digest)","size":\#(file.content.count),"pointerSize":134}}"#
      }
      let others = #"{"type":"directory","path":"d","size":0},{"type":"file","path":"README.md"}"#
      var answer = Answer(json: "[" + (entries + [others]).joined(separator: ",") + "]")
      if number + 1 < pageCount {
        let next = path.prefix { $0 != "&" }
        answer.headers["Link"] = "<\(endpoint)\(next)&cursor=\(number + 1)>; rel=\"next\""
      }
      return answer
    }

    private func stored(_ request: Request) -> Answer {
      let name = request.path.dropFirst("/store/".count).prefix { $0 != "?" }
      guard let file = files[name.removingPercentEncoding ?? ""] else { return Answer(status: 404) }
      var answer = Answer(headers: ["ETag": "\"\(file.digest)\""], body: file.content)
      guard let range = request.headers["range"],
        let match = range.wholeMatch(of: /bytes=([0-9]+)-([0-9]*)/), let first = Int(match.1)
      else { return answer }
      let last = min(Int(match.2) ?? .max, file.content.count - 1)
      guard first <= last else { return Answer(status: 416) }
      answer.status = 206
      answer.headers["Content-Range"] = "bytes \(first)-\(last)/\(file.content.count)"
      answer.setBody(Array(file.content[first...last]))
      return answer
    }
  }
#endif
