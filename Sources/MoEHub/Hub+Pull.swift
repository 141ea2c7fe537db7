#if TLS
  import MoEPlatform

  extension Hub {
    /// Brings all files of a variant into the cache folder, as far as they are not there, some at
    /// the same time, and returns the path of the one to open.
    ///
    /// Where another program brings one of them, it is waited for; `waiting` is told which.
    package func pull(
      _ variant: ModelVariant, of listing: HubListing, progress: TransferProgress,
      waiting: @escaping @Sendable (_ path: String) -> Void = { _ in }
    ) async throws(HubError) -> String {
      let cache = HubCache(listing.model, in: settings.cacheFolder)
      try cache.makeFolders()
      try checkRoom(for: variant, in: cache)
      let failure = await withTaskGroup(of: HubError?.self) { group in
        var rest = variant.files[...]
        var failure: HubError?
        func begin(_ file: HubFile) {
          group.addTask {
            do throws(HubError) {
              try await bring(file, of: listing, into: cache, progress, waiting)
              return nil
            } catch {
              return error
            }
          }
        }
        for file in rest.prefix(settings.connectionCountMax) { begin(file) }
        rest = rest.dropFirst(settings.connectionCountMax)
        while let outcome = await group.next() {
          if let outcome {
            // The first one is the cause; what comes then was cancelled for it.
            failure = failure ?? outcome
            group.cancelAll()
          } else if failure == nil, let file = rest.popFirst() {
            begin(file)
          }
        }
        return failure
      }
      if let failure { throw failure }
      return try cache.publish(variant, at: listing.commit)
    }

    private func checkRoom(for variant: ModelVariant, in cache: HubCache) throws(HubError) {
      var wanted = 0
      for file in variant.files where !cache.holds(file) {
        let (sum, isHuge) = wanted.addingReportingOverflow(
          file.byteCount - cache.partialByteCount(file))
        wanted = isHuge ? .max : sum
      }
      guard let free = Folder.freeByteCount(in: cache.blobFolder), free < wanted else { return }
      throw .noRoom(folder: cache.root, wanted: wanted, free: free)
    }

    private func bring(
      _ file: HubFile, of listing: HubListing, into cache: HubCache, _ progress: TransferProgress,
      _ waiting: @Sendable (_ path: String) -> Void
    ) async throws(HubError) {
      let model = listing.model
      let names = file.path.split(separator: "/").map(String.init)
      guard
        let address = address([model.owner, model.name, "resolve", listing.commit] + names, nil)
      else { throw .badName(file.path) }
      // Held until the end of this function.
      let lock = try await lock(of: file, in: cache, waiting)
      defer { withExtendedLifetime(lock) {} }
      if cache.holds(file) { return progress.hold(file.byteCount) }
      let partial = try await partialFile(of: file, in: cache, waiting)
      var transfer = FileTransfer(
        file, from: address, of: self, subject("\(model.path)/\(file.path)", of: model),
        into: partial, progress)
      try await transfer.run()
    }

    private func lock(
      of file: HubFile, in cache: HubCache, _ waiting: @Sendable (_ path: String) -> Void
    ) async throws(HubError) -> LockFile {
      try await untilFree(file, waiting) { () throws(FileError) in
        try LockFile.take(cache.lockPath(file))
      }
    }

    private func partialFile(
      of file: HubFile, in cache: HubCache, _ waiting: @Sendable (_ path: String) -> Void
    ) async throws(HubError) -> ResumableFile {
      try await untilFree(file, waiting) { () throws(FileError) in
        try ResumableFile.open(cache.blobPath(file), suffix: HubCache.partialSuffix)
      }
    }

    /// Asks again and again for what another program holds.
    private func untilFree<Held>(
      _ file: HubFile, _ waiting: @Sendable (_ path: String) -> Void,
      _ take: () throws(FileError) -> Held?
    ) async throws(HubError) -> Held {
      var isFirst = true
      while true {
        do throws(FileError) {
          if let held = try take() { return held }
        } catch {
          throw .file(error)
        }
        if isFirst { waiting(file.path) }
        isFirst = false
        do { try await Task.sleep(for: .milliseconds(200)) } catch { throw .cancelled }
      }
    }
  }
#endif
