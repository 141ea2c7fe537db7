#if TLS
  import MoECore

  /// What a hub has of a model, at one moment.
  package struct HubListing: Sendable {
    package let model: HubModelName
    /// The commit that this is of, by which files are asked for, so that nothing changes between
    /// two of them.
    package let commit: String
    package let variants: [ModelVariant]

    package init(model: HubModelName, commit: String, files: [HubFile]) {
      self.model = model
      self.commit = commit
      variants = ModelVariant.all(files)
    }
  }

  extension Hub {
    /// Bounds for answers, which are held in memory.
    private static let pageByteCountMax = 16 << 20
    private static let pageCountMax = 100

    /// The model's GGUF files.
    package func listing(of model: HubModelName) async throws(HubError) -> HubListing {
      let commit = try await commit(of: model)
      guard
        var page = address(
          ["api", "models", model.owner, model.name, "tree", commit], "recursive=true")
      else { throw .badName(model.path) }
      var files: [String: HubFile] = [:]
      for _ in 0..<Self.pageCountMax {
        let (entries, link) = try await json(page, about: model)
        guard case .array(let entries) = entries else {
          throw badList("a list of files", "something else")
        }
        for entry in entries {
          guard let file = try HubFile(entry, from: settings.endpoint.host) else { continue }
          guard files.updateValue(file, forKey: file.path) == nil else {
            throw badList("each file once", "\(file.path.quotedForMessage) twice")
          }
        }
        guard let link, let next = try nextPage(link, behind: page) else {
          return HubListing(model: model, commit: commit, files: Array(files.values))
        }
        page = next
      }
      throw badList("at most \(Self.pageCountMax) pages", "more")
    }

    /// The commit that `main` is at.
    private func commit(of model: HubModelName) async throws(HubError) -> String {
      guard
        let page = address(["api", "models", model.owner, model.name, "revision", "main"], nil)
      else { throw .badName(model.path) }
      let (answer, _) = try await json(page, about: model)
      guard case .string(let commit) = answer["sha"],
        case .gitBlob(let commit) = FileDigest(hexadecimal: commit)
      else { throw badList("the commit of main", "none") }
      return commit
    }

    /// Where the list goes on; nil at its end.
    private func nextPage(
      _ link: String, behind page: HubAddress
    ) throws(HubError) -> HubAddress? {
      guard let match = link.firstMatch(of: /<([^>]*)>\s*;\s*rel="?next"?/) else { return nil }
      guard let next = page.resolving(String(match.1)), next.origin == settings.endpoint.origin
      else {
        throw badList("a next page at the same host", String(match.1).quotedForMessage)
      }
      return next
    }

    private func badList(_ wanted: String, _ found: String) -> HubError {
      .badAnswer(
        what: "the list of files at \(settings.endpoint.host)", wanted: wanted, found: found)
    }

    func address(_ segments: [String], _ query: String?) -> HubAddress? {
      settings.endpoint.appending(segments, query: query)
    }

    func subject(_ what: String, of model: HubModelName) -> HubTransport.Subject {
      HubTransport.Subject(what: what, page: "\(settings.endpoint.withoutSlash)/\(model.path)")
    }

    /// A JSON answer and its `Link`.
    private func json(
      _ address: HubAddress, about model: HubModelName
    ) async throws(HubError) -> (JSON, link: String?) {
      let subject = subject(model.path, of: model)
      let (bytes, link) = try await retrying { [transport] () throws(HubError) in
        let answer = try await transport.get(address, subject)
        let bytes = try await answer.bytes(atMost: Self.pageByteCountMax + 1, of: subject.what)
        return (bytes, answer.header("link"))
      }
      guard bytes.count <= Self.pageByteCountMax else {
        throw badList("at most \(ByteSize(Self.pageByteCountMax)) of text", "more")
      }
      do {
        return (try JSON(text: String(decoding: bytes, as: UTF8.self)), link)
      } catch {
        throw badList(error.wanted, "something else at byte \(error.position) of the text")
      }
    }
  }
#endif
