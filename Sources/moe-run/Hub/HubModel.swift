#if TLS
  import FoundationEssentials
  import MoECore
  import MoEHub
  import MoEPlatform
  import Synchronization

  /// A model of a hub, as the command line names it.
  struct HubModel: Sendable {
    let name: HubModelName
    let settings: HubSettings
    var isQuiet = false

    init(_ text: String, isQuiet: Bool = false) throws(Failure) {
      self.isQuiet = isQuiet
      do throws(HubError) {
        name = try HubModelName(parsing: text)
      } catch {
        throw .usage(error.description)
      }
      do throws(HubError) {
        settings = try HubSettings(environment: ProcessInfo.processInfo.environment)
      } catch {
        throw .runtime(error.description)
      }
    }

    /// The file to open, brought where it is not here. Without a network, what is here has to do.
    func path() async throws(Failure) -> String {
      if settings.isOffline { return try offlinePath(because: "HF_HUB_OFFLINE is set") }
      do throws(HubError) {
        return try await interruptible { hub throws(HubError) in
          let listing = try await hub.listing(of: name)
          let variant = try ModelVariant.choose(
            name.variant, of: listing.variants, model: name.path)
          return try await pull(variant, of: listing, from: hub)
        }
      } catch {
        return try pathInstead(of: error)
      }
    }

    /// The headers of its files: of those that are here, or brought for this alone.
    func header() async throws(Failure) -> ModelHeader {
      if settings.isOffline { return ModelHeader(path: try await path()) }
      do throws(HubError) {
        return try await interruptible { hub throws(HubError) in
          let listing = try await hub.listing(of: name)
          let variant = try ModelVariant.choose(
            name.variant, of: listing.variants, model: name.path)
          if HubCache(name, in: settings.cacheFolder).holds(variant) {
            return ModelHeader(path: try await pull(variant, of: listing, from: hub))
          }
          return try await Self.header(of: variant, in: listing, from: hub)
        }
      } catch {
        return ModelHeader(path: try pathInstead(of: error))
      }
    }

    /// Files that have the headers of a variant and nothing where its weights would be.
    static func header(
      of variant: ModelVariant, in listing: HubListing, from hub: Hub
    ) async throws(HubError) -> ModelHeader {
      let folder: String
      do throws(FileError) {
        folder = try Folder.makeTemporary(
          in: ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp")
      } catch {
        throw .file(error)
      }
      // Removes what there is of it, whatever happens.
      let header = ModelHeader(
        path: "\(folder)/\(variant.files[0].name)",
        hubName: "\(listing.model.path):\(variant.label)", folder: folder,
        names: variant.files.map(\.name))
      _ = try await hub.writeHeaders(of: variant, in: listing, to: folder)
      return header
    }

    /// Gives a closure the hub. The first Ctrl-C stops it, and what has come stays.
    func interruptible<Value: Sendable>(
      _ body: @escaping @Sendable (Hub) async throws(HubError) -> Value
    ) async throws(HubError) -> Value {
      let task = Task { [settings] () async -> Result<Value, HubError> in
        do throws(HubError) {
          return .success(try await Hub.withHub(settings, body))
        } catch {
          return .failure(error)
        }
      }
      Interruption.onFirstSignal { task.cancel() }
      let outcome = await task.value
      Interruption.onFirstSignal(nil)
      ProgressBar.eraseAny()
      return try outcome.get()
    }

    /// Brings a variant, and shows how far that is.
    func pull(
      _ variant: ModelVariant, of listing: HubListing, from hub: Hub
    ) async throws(HubError) -> String {
      let isHere = HubCache(name, in: settings.cacheFolder).holds(variant)
      if !isHere, !isQuiet {
        let first = variant.files[0].path
        let more = variant.files.count > 1 ? " and \(variant.files.count - 1) more" : ""
        StandardError.write(
          "moe-run: downloading \(name.path)/\(first)\(more), \(ByteSize(variant.byteCount))\n")
      }
      let line = TransferLine(isQuiet: isQuiet || isHere)
      do throws(HubError) {
        return try await hub.pull(
          variant, of: listing,
          progress: TransferProgress(byteCount: variant.byteCount, changed: line.update)
        ) { path in
          line.erase()
          if isQuiet { return }
          StandardError.write("moe-run: another program is downloading \(path); waiting for it\n")
        }
      } catch {
        line.erase()
        if error == .cancelled {
          StandardError.write("moe-run: stopped; the same command goes on where this one was\n")
        }
        throw error
      }
    }

    private func offlinePath(because reason: String) throws(Failure) -> String {
      do throws(HubError) {
        return try HubCache(name, in: settings.cacheFolder).path(
          of: name.variant, because: reason)
      } catch {
        throw .runtime(error.description)
      }
    }

    /// What is here, where the hub could not be asked.
    private func pathInstead(of error: HubError) throws(Failure) -> String {
      try Self.check(error)
      guard error.isAboutTheNetwork else { throw .runtime(error.description) }
      let cache = HubCache(name, in: settings.cacheFolder)
      guard let path = try? cache.path(of: name.variant, because: "") else {
        throw .runtime(error.description)
      }
      if !isQuiet { StandardError.write("moe-run: note: \(error); using what is here\n") }
      return path
    }

    /// Throws where a signal asked for the end.
    static func check(_ error: HubError) throws(Failure) {
      if error == .cancelled { try Interruption.check() }
    }
  }
#endif
