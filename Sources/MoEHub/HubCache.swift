#if TLS
  import MoEFormats
  import MoEPlatform

  /// The folder in which the hub's own programs keep models, as they lay it out: contents under
  /// their digests, and for each commit the names of its files as links to them.
  package struct HubCache: Sendable {
    let model: HubModelName
    private let folder: String
    /// That of all models, for sentences.
    let root: String

    package init(_ model: HubModelName, in root: String) {
      self.model = model
      self.root = root
      folder = "\(root)/models--\(model.owner)--\(model.name)"
    }

    var blobFolder: String { "\(folder)/blobs" }

    func blobPath(_ file: HubFile) -> String { "\(blobFolder)/\(file.digest.text)" }

    /// What other programs of the hub lock, too, while they write a file.
    func lockPath(_ file: HubFile) -> String { "\(lockFolder)/\(file.digest.text).lock" }

    private var lockFolder: String { "\(root)/.locks/models--\(model.owner)--\(model.name)" }

    /// How what has not arrived whole is named behind its digest.
    static let partialSuffix = ".incomplete"

    func makeFolders() throws(HubError) {
      do throws(FileError) {
        try Folder.makeAll(blobFolder)
        try Folder.makeAll(lockFolder)
      } catch {
        throw .file(error)
      }
    }

    /// Whether all of a file is there. What it holds was checked when it came.
    func holds(_ file: HubFile) -> Bool {
      let status = FileStatus(path: blobPath(file))
      return status?.kind == .regular && status?.identity.byteCount == file.byteCount
    }

    package func holds(_ variant: ModelVariant) -> Bool { variant.files.allSatisfy(holds) }

    /// Bytes of a file that an earlier transfer left.
    func partialByteCount(_ file: HubFile) -> Int {
      let path = blobPath(file) + Self.partialSuffix
      return min(FileStatus(path: path)?.identity.byteCount ?? 0, file.byteCount)
    }

    /// Gives files that are there their names at a commit, and says which one to open.
    func publish(_ variant: ModelVariant, at commit: String) throws(HubError) -> String {
      let snapshot = "\(folder)/snapshots/\(commit)"
      do throws(FileError) {
        for file in variant.files {
          let names = file.path.split(separator: "/")
          try Folder.makeAll(
            ([snapshot] + names.dropLast().map(String.init)).joined(separator: "/"))
          let up = String(repeating: "../", count: names.count + 1)
          try SymbolicLink.replace(
            "\(snapshot)/\(file.path)", with: "\(up)blobs/\(file.digest.text)")
        }
        try Folder.makeAll("\(folder)/refs")
        try WholeFile.replace("\(folder)/refs/main", with: Array(commit.utf8))
      } catch {
        throw .file(error)
      }
      return "\(snapshot)/\(variant.files[0].path)"
    }

    /// What is there of the model, without asking the hub: first at the commit that `main` was at,
    /// then at others.
    package func path(of wanted: String?, because reason: String) throws(HubError) -> String {
      let main = try? WholeFile.contents(of: "\(folder)/refs/main", byteCountMax: 256)
      let first = main.map { String(decoding: $0, as: UTF8.self) }
      let names = Folder.names(in: "\(folder)/snapshots")
      let commits = names.filter { $0 == first } + names.filter { $0 != first }
      var failure = HubError.notCached(model: "\(model)", folder: root, reason: reason)
      for commit in commits {
        let snapshot = "\(folder)/snapshots/\(commit)"
        do throws(HubError) {
          let variants = ModelVariant.all(files(in: snapshot))
          if variants.isEmpty { continue }
          let variant = try ModelVariant.choose(wanted, of: variants, model: model.path)
          return "\(snapshot)/\(variant.files[0].path)"
        } catch {
          if case .noSuchVariant(_, let wanted, let offered) = error {
            let list = offered.joined(separator: ", ")
            failure = .notCached(
              model: "\(model.path):\(wanted)", folder: root,
              reason: "\(reason); it has \(list)")
          } else {
            failure = error
          }
        }
      }
      throw failure
    }

    /// The GGUF files of a commit that are there whole.
    private func files(in snapshot: String, below path: String = "", depth: Int = 0) -> [HubFile] {
      guard depth < 16 else { return [] }
      var files: [HubFile] = []
      for name in Folder.names(in: path.isEmpty ? snapshot : "\(snapshot)/\(path)") {
        let path = path.isEmpty ? name : "\(path)/\(name)"
        let full = "\(snapshot)/\(path)"
        guard let status = FileStatus(path: full) else { continue }
        if status.kind == .directory {
          files += self.files(in: snapshot, below: path, depth: depth + 1)
        } else if status.kind == .regular, name.lowercased().hasSuffix(".gguf") {
          let target = SymbolicLink.target(of: full)?.split(separator: "/").last ?? ""
          // Older programs copy where they cannot link; then nothing tells a digest.
          let digest = FileDigest(hexadecimal: String(target)) ?? .gitBlob("")
          files.append(
            HubFile(path: path, byteCount: status.identity.byteCount, digest: digest))
        }
      }
      return files
    }
  }
#endif
