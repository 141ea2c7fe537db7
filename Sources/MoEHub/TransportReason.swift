#if TLS
  private import AsyncHTTPClient
  import MoECore
  private import MoEPlatform
  private import NIOCore
  private import NIOPosix

  /// What went wrong on the way, in a few words.
  struct TransportReason {
    private let text: String
    private let isCancellation: Bool

    init(_ error: any Error) {
      isCancellation =
        error is CancellationError || error as? HTTPClientError == .cancelled || Task.isCancelled
      text = Self.text(error)
    }

    /// For a request that got no answer.
    func unanswered(host: String) -> HubError {
      isCancellation ? .cancelled : .unreachable(host: host, reason: text)
    }

    /// For an answer that does not go on.
    func brokenOff(_ what: String) -> HubError {
      isCancellation ? .cancelled : .dropped(what: what, reason: text)
    }

    private static func text(_ error: any Error) -> String {
      switch error {
      case let error as IOError: return systemMessage(error.errnoCode)
      case let error as NIOConnectionError:
        if let first = error.connectionErrors.first { return text(first.error) }
        return "its name is not known here"
      case ChannelError.connectTimeout: return "it did not answer in time"
      case let error as HTTPClientError: return text(error)
      default:
        // Of a library, in its own words.
        return String("\(error)".quotedForMessage.dropFirst().dropLast())
      }
    }

    private static func text(_ error: HTTPClientError) -> String {
      switch error {
      case .readTimeout: "nothing came for a while"
      case .connectTimeout: "it did not answer in time"
      case .remoteConnectionClosed: "the other side closed the connection"
      default: error.shortDescription.lowercased()
      }
    }
  }
#endif
