#if TLS
  import MoECore
  package import MoEFormats
  package import MoEPlatform

  /// Why a model cannot be had from a hub: one sentence that says what to do.
  package enum HubError: Error, Hashable, Sendable {
    /// A text that is no OWNER/NAME or OWNER/NAME:QUANT.
    case badName(String)
    /// A variable of the environment.
    case badSetting(name: String, wanted: String, found: String)
    /// Nobody answers.
    case unreachable(host: String, reason: String)
    /// An answer stopped in its middle, or is not the part of the file that was asked for.
    case dropped(what: String, reason: String)
    /// 429 or 5xx. Seconds that the host asked to wait for, if it did.
    case busy(host: String, status: Int, retryAfterSeconds: Int?)
    /// The address that the hub gave for a file is not good any more.
    case expired(host: String, status: Int)
    /// Any other status that is no success.
    case refused(what: String, host: String, status: Int)
    case notFound(what: String, host: String, hasToken: Bool)
    /// 401 or 403: terms to be accepted, or a token without the right.
    case needsAccess(what: String, page: String, hasToken: Bool)
    /// An answer that is not what a hub says.
    case badAnswer(what: String, wanted: String, found: String)
    case noModelFiles(model: String)
    /// `offered`: by label.
    case noSuchVariant(model: String, wanted: String, offered: [String])
    case severalVariants(model: String, wanted: String, paths: [String])
    case missingShard(path: String)
    case wrongSize(file: String, wanted: Int, found: Int)
    case wrongDigest(file: String)
    case noRoom(folder: String, wanted: Int, free: Int)
    /// Offline, and not in the cache folder; why the hub was not asked, or could not be.
    case notCached(model: String, folder: String, reason: String)
    case file(FileError)
    /// A file at the hub whose header is not that of a model.
    case format(FormatError)
    /// The task was cancelled.
    case cancelled

    /// Whether the same request may succeed a little later.
    var isTransient: Bool {
      switch self {
      case .unreachable, .dropped, .busy, .expired: true
      default: false
      }
    }

    /// Whether the hub could not be asked at all, so that what is in the cache folder has to do.
    package var isAboutTheNetwork: Bool {
      switch self {
      case .unreachable, .dropped, .busy: true
      default: false
      }
    }
  }

  extension HubError: CustomStringConvertible {
    package var description: String {
      switch self {
      case .badName(let text):
        "\(text.quotedForMessage) names no model of a hub; give OWNER/NAME or OWNER/NAME:QUANT"
      case .badSetting(let name, let wanted, let found):
        "\(name): wanted \(wanted), found \(found.quotedForMessage); set it or leave it out"
      case .unreachable(let host, let reason):
        "\(host) cannot be reached: \(reason); check the network and HF_ENDPOINT"
      case .dropped(let what, let reason):
        "\(what): the transfer broke off (\(reason)); the same command goes on where it stopped"
      case .busy(let host, let status, let seconds):
        "\(host) is busy (status \(status)); try again "
          + (seconds.map { "in \($0) seconds" } ?? "later")
      case .expired(let host, let status):
        "\(host) refused an address that the hub had just given (status \(status)); try again later"
      case .refused(let what, let host, let status):
        "\(what): \(host) answered with status \(status); check the name and HF_ENDPOINT"
      case .notFound(let what, let host, let hasToken):
        "\(what) is not at \(host), or not for everybody; check the name"
          + (hasToken ? " and that HF_TOKEN may read it" : ", or set HF_TOKEN")
      case .needsAccess(let what, let page, let hasToken):
        "\(what) is not for everybody: accept its terms at \(page), where it has some, and "
          + (hasToken ? "check that HF_TOKEN is valid and of the same account" : "set HF_TOKEN")
      case .badAnswer(let what, let wanted, let found):
        "\(what): wanted \(wanted), found \(found); check that HF_ENDPOINT names a hub"
      case .cancelled: "stopped"
      default: fileDescription
      }
    }

    private var fileDescription: String {
      switch self {
      case .noModelFiles(let model):
        "\(model) has no GGUF files; look for a model whose name ends in -GGUF"
      case .noSuchVariant(let model, let wanted, let offered):
        "\(model) has no \(wanted); it has \(offered.joined(separator: ", "))"
      case .severalVariants(let model, let wanted, let paths):
        "\(model) has several files for \(wanted); give one of "
          + paths.map { "\(model):\($0)" }.joined(separator: ", ")
      case .missingShard(let path):
        "\(path) is missing, without which the model is not whole; take another of its files"
      case .wrongSize(let file, let wanted, let found):
        "\(file): wanted \(wanted) bytes, as the hub lists it, found \(found); try again later"
      case .wrongDigest(let file):
        "\(file): what arrived has another SHA-256 than the hub lists, and was deleted; try again, "
          + "and if it happens again do not trust the server"
      case .noRoom(let folder, let wanted, let free):
        "\(folder): wanted room for \(ByteSize(wanted)), found \(ByteSize(free)); free some, or "
          + "set HF_HUB_CACHE to a folder on another disk"
      case .notCached(let model, let folder, let reason):
        "\(model) is not in \(folder), and \(reason); pull it when there is a network"
      case .format(let error): "\(error)"
      case .file(let error): "\(error); check HF_HUB_CACHE and its permissions"
      default: "the hub's model cannot be had"
      }
    }
  }
#endif
