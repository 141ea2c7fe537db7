import ArgumentParser

/// Which model: as an argument, with -m, or with -hf.
struct ModelOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "The model: a GGUF file, any shard of one, a bundle packed with --standalone, or the folder "
        + "of a published model.", valueName: "model.gguf"),
    completion: .file(extensions: ["gguf", "moebundle"]))
  var argument: String?

  @Option(
    name: [.customShort("m"), .customLong("model")],
    help: ArgumentHelp("The model, as a flag.", valueName: "model.gguf"),
    completion: .file(extensions: ["gguf", "moebundle"]))
  var flag: String?

  #if TLS
    @Option(
      name: [.customLong("hf", withSingleDash: true), .customLong("hf-repo")],
      help: ArgumentHelp(
        "A model of a hub in place of a file, downloaded where it is not here yet (see 'moe-run "
          + "pull'). (default quant: Q4_K_M)", valueName: "owner/name[:quant]"))
    var hub: String?

    private var hubName: String? { hub }
  #else
    private var hubName: String? { nil }
  #endif

  private enum Choice {
    case file(String)
    #if TLS
      case hub(String)
    #endif
  }

  /// Whether any model is named.
  var isGiven: Bool { argument != nil || flag != nil || hubName != nil }

  /// Whether a flag names it, so that an argument is something else.
  var isFlagged: Bool { flag != nil || hubName != nil }

  /// Throws where none is named, or several are; asks nobody for it.
  func check() throws(Failure) { _ = try choice() }

  /// The file to open. A model of a hub is brought first.
  func path() async throws(Failure) -> String {
    switch try choice() {
    case .file(let path): return path
    #if TLS
      case .hub(let name): return try await HubModel(name).path()
    #endif
    }
  }

  /// The model for who reads its header alone, which of a model of a hub is all that is brought.
  func header() async throws(Failure) -> ModelHeader {
    switch try choice() {
    case .file(let path): return ModelHeader(path: path)
    #if TLS
      case .hub(let name): return try await HubModel(name).header()
    #endif
    }
  }

  private func choice() throws(Failure) -> Choice {
    let named = [
      argument.map { "'\($0)'" }, flag.map { "-m '\($0)'" }, hubName.map { "-hf '\($0)'" },
    ]
    let given = named.compactMap(\.self)
    guard given.count <= 1 else {
      throw .usage("give one model, not \(given.count): \(given.joined(separator: " and "))")
    }
    #if TLS
      if let hub { return .hub(hub) }
    #endif
    if let path = argument ?? flag { return .file(path) }
    throw .usage("give a model: moe-run MODEL.gguf, or -m MODEL.gguf")
  }
}
