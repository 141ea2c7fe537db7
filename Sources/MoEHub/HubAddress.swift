#if TLS
  private import FoundationEssentials

  /// An address of HTTP or HTTPS.
  package struct HubAddress: Hashable, Sendable {
    /// As it is asked for: signatures depend on every character.
    package let text: String
    /// Scheme, host and port: who gets what is sent there.
    package let origin: String
    package let host: String
    var isEncrypted: Bool { origin.hasPrefix("https:") }

    private static let byteCountMax = 16_384

    /// Nil where the text is no such address, or names a user.
    package init?(_ text: String) {
      guard let url = URL(string: text) else { return nil }
      self.init(url)
    }

    private init?(_ url: URL) {
      let text = url.absoluteString
      guard let scheme = url.scheme?.lowercased(), scheme == "http" || scheme == "https",
        let host = url.host()?.lowercased(), !host.isEmpty, url.user() == nil,
        text.utf8.count <= Self.byteCountMax
      else { return nil }
      self.text = text
      self.host = host
      origin = "\(scheme)://\(host):\(url.port ?? (scheme == "https" ? 443 : 80))"
    }

    /// For what is put behind it.
    package var withoutSlash: String { text.hasSuffix("/") ? String(text.dropLast()) : text }

    /// What a `Location` or a `Link` means here: an address, or a path of the same host.
    func resolving(_ reference: String) -> HubAddress? {
      guard let base = URL(string: text), let url = URL(string: reference, relativeTo: base) else {
        return nil
      }
      return HubAddress(url.absoluteURL)
    }

    /// The address with a path of these segments behind it; whatever else than letters, digits and
    /// `-._~` is in them is written by number.
    func appending(_ segments: [some StringProtocol], query: String? = nil) -> HubAddress? {
      let path = segments.map { "/" + Self.encoded(String($0)) }.joined()
      return HubAddress(withoutSlash + path + (query.map { "?" + $0 } ?? ""))
    }

    private static func encoded(_ segment: String) -> String {
      segment.utf8.reduce(into: "") { result, byte in
        let scalar = Unicode.Scalar(byte)
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "~":
          result.unicodeScalars.append(scalar)
        default:
          let digits = String(byte, radix: 16, uppercase: true)
          result += "%" + (digits.count == 1 ? "0" : "") + digits
        }
      }
    }
  }
#endif
