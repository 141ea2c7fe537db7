#if TLS
  import MoEFormats

  /// A model in one of the forms that a hub has it in: a GGUF file, or all shards of one.
  package struct ModelVariant: Hashable, Sendable {
    /// How it is quantised, as its name says, such as `Q4_K_M`; else its name.
    package let label: String
    /// In the order of shards.
    package let files: [HubFile]
    /// A shard that the others speak of and that is not there.
    package let missingPath: String?

    /// Without a choice, what most people take.
    package static let usualLabel = "Q4_K_M"

    package var byteCount: Int {
      // Sizes are untrusted; a sum that does not fit is larger than every disk.
      files.reduce(0) { sum, file in
        let (next, isHuge) = sum.addingReportingOverflow(file.byteCount)
        return isHuge ? .max : next
      }
    }

    /// The variants among GGUF files, smallest first. What goes with a model and is none is left
    /// out.
    package static func all(_ files: [HubFile]) -> [ModelVariant] {
      var groups: [String: [HubFile]] = [:]
      for file in files where !isCompanion(file.path) {
        let shard = ShardName(path: file.path)
        groups[shard.map { $0.path(number: 1) } ?? file.path, default: []].append(file)
      }
      return groups.map { ModelVariant(path: $0.key, $0.value) }
        .sorted { ($0.byteCount, $0.files[0].path) < ($1.byteCount, $1.files[0].path) }
    }

    /// - Parameter path: That of the only file or the first shard.
    private init(path: String, _ files: [HubFile]) {
      guard let first = ShardName(path: path) else {
        (self.files, missingPath) = (files, nil)
        label = Self.label(ofStem: path.dropLast(".gguf".count))
        return
      }
      self.files = files.sorted { $0.path < $1.path }
      // Numbers that are there are looked at, not all that a name speaks of: it may say 99999.
      let numbers = Set(files.compactMap { ShardName(path: $0.path)?.number })
      let gap = (1...max(first.count, 1)).first { !numbers.contains($0) }
      missingPath = gap.map { first.path(number: $0) }
      label = Self.label(ofStem: first.prefix.dropLast())
    }

    /// Projectors for images and importance matrices lie beside models.
    private static func isCompanion(_ path: String) -> Bool {
      let name = (path.split(separator: "/").last ?? "").lowercased()
      return name.contains("mmproj") || name.contains("imatrix")
    }

    /// The end of a name that says how its weights are stored, in capitals.
    private static func label(ofStem stem: Substring) -> String {
      let name = stem.split(separator: "/").last ?? stem
      let form =
        /(?:.*[-._])?(?<label>(?:I?Q|TQ)[0-9]\w*|B?F16|FP16|F32|FP32|(?:MX|NV)FP4\w*)/
        .ignoresCase().asciiOnlyWordCharacters()
      guard let match = name.wholeMatch(of: form) else { return String(name) }
      let label = match.label.uppercased()
      // A quantisation with formats that change from layer to layer has its own prefix.
      let (lower, dynamic) = (name.lowercased(), "ud-" + match.label.lowercased())
      return lower == dynamic || lower.hasSuffix("-" + dynamic) ? "UD-" + label : label
    }

    /// The one that is meant by a label or the path of a file.
    ///
    /// - Parameter wanted: Nil: the usual one, or the only one.
    package static func choose(
      _ wanted: String?, of variants: [ModelVariant], model: String
    ) throws(HubError) -> ModelVariant {
      guard !variants.isEmpty else { throw .noModelFiles(model: model) }
      if wanted == nil, variants.count == 1 { return try variants[0].whole() }
      let name = (wanted ?? usualLabel).lowercased()
      let named = variants.filter { variant in variant.files.contains { $0.path == wanted } }
      let found = named.isEmpty ? variants.filter { $0.label.lowercased() == name } : named
      guard let first = found.first else {
        throw .noSuchVariant(
          model: model, wanted: wanted ?? usualLabel, offered: variants.map(\.label))
      }
      guard found.count == 1 else {
        throw .severalVariants(
          model: model, wanted: wanted ?? usualLabel, paths: found.map { $0.files[0].path })
      }
      return try first.whole()
    }

    private func whole() throws(HubError) -> ModelVariant {
      if let missingPath { throw .missingShard(path: missingPath) }
      return self
    }
  }
#endif
