#if TLS
  /// A model of a hub as people write it: `OWNER/NAME`, or `OWNER/NAME:QUANT` for one of its files.
  package struct HubModelName: Hashable, Sendable {
    package let owner: String
    package let name: String
    /// Nil where none is said.
    package let variant: String?

    private static let byteCountMax = 96

    package init(parsing text: String) throws(HubError) {
      let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let parts = halves[0].split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy(Self.isName) else { throw .badName(text) }
      owner = String(parts[0])
      name = String(parts[1])
      variant = halves.count == 2 ? String(halves[1]) : nil
      if let variant, variant.isEmpty || variant.utf8.count > 1024 { throw .badName(text) }
    }

    /// `OWNER/NAME`.
    package var path: String { "\(owner)/\(name)" }

    /// A hub's rule for names; it keeps them from meaning anything in paths and addresses.
    private static func isName(_ text: Substring) -> Bool {
      !text.isEmpty && text.utf8.count <= byteCountMax && !text.hasPrefix(".")
        && !text.hasPrefix("-")
        && !text.contains("..") && !text.contains("--") && text.utf8.allSatisfy(isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."):
        true
      default: false
      }
    }
  }

  extension HubModelName: CustomStringConvertible {
    package var description: String { variant.map { "\(path):\($0)" } ?? path }
  }
#endif
