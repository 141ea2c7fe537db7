internal import MoECore

extension GGUFFile {
  /// Refuses a file that holds something else than a model, and says what it holds.
  package func requireModel() throws(FormatError) {
    guard let other = otherContent else { return }
    throw FormatError(.notModel, path: sourceName, wanted: "a model", found: other)
  }

  /// What the file holds if not a model, in a few words.
  ///
  /// `general.type` tells in current files; older ones are known by their architecture or by keys
  /// that no model has.
  private var otherContent: String? {
    if case .string(let type) = metadata["general.type"], type != "model" {
      return Self.contents[type] ?? "a file of the type \(type.quotedForMessage)"
    }
    if let architecture, let content = Self.contents[architecture] { return content }
    if let known = Self.keys.first(where: { metadata.keys.contains($0.key) }) {
      return Self.contents[known.content]
    }
    return tensors.isEmpty ? Self.contents["vocab"] : nil
  }

  /// By `general.type` or `general.architecture`.
  private static let contents = [
    "adapter": "an adapter (LoRA), which changes a model and is none by itself",
    "clip": projector,
    "controlvector": "a control vector, which steers a model and is none by itself",
    "imatrix": "an importance matrix, by which models are quantised",
    "mmproj": projector,
    "vocab": "a vocabulary without weights",
  ]
  private static let projector = "a projector for images or sound, which goes with a model"

  /// Keys of files that name neither a type nor an architecture of theirs.
  private static let keys = [
    (key: "adapter.type", content: "adapter"),
    (key: "controlvector.model_hint", content: "controlvector"),
    (key: "imatrix.datasets", content: "imatrix"),
  ]
}
