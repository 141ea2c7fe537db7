import MoEPlatform
import MoEStore

extension BundleChoice {
  /// The bundle that is meant for a model; nil for none.
  ///
  /// - Parameter mirrors: Copies of the model on other disks, which have no bundles.
  func bundle(ofModelAt path: String, mirrors: [String]) throws(EngineError) -> Bundle? {
    let bundlePath: String
    switch self {
    case .none: return nil
    case .automatic:
      bundlePath = Bundle.path(besides: path)
      guard mirrors.isEmpty, FileStatus(path: bundlePath)?.kind == .regular else { return nil }
    case .file(let path):
      guard mirrors.isEmpty else {
        throw .invalidOption(
          name: "the bundle", wanted: "given without copies of the model on other disks",
          found: path)
      }
      bundlePath = path
    }
    do {
      return try Bundle(path: bundlePath)
    } catch {
      throw .store(error.description)
    }
  }
}

extension Bundle {
  /// Where the bundle of a model is looked for.
  package static func path(besides model: String) -> String {
    var name = model
    while name.count > 1, name.hasSuffix("/") { name.removeLast() }
    let ending = ".gguf"
    if name.lowercased().hasSuffix(ending) { name.removeLast(ending.count) }
    return name + suffix
  }

  /// Where the model of a bundle is looked for.
  package static func modelPath(besides bundle: String) -> String {
    (bundle.hasSuffix(suffix) ? String(bundle.dropLast(suffix.count)) : bundle) + ".gguf"
  }
}
