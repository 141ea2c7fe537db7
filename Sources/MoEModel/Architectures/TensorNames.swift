package import MoECore

/// How the tensors of a family are called in files of other tools, and which tensors files of the
/// family carry that are not read.
package struct TensorNames: Sendable, Equatable {
  /// From other names to those that the blocks' tables have, both without the layer's prefix.
  package var others: [String: String] = [:]
  /// What the names of tensors begin with that inference does not read: encoders of images and
  /// sound, for example, and layers that predict further tokens.
  package var leftOut: [String] = []

  /// A file's tensors under the names of the tables. Where it has one under either name, both stay
  /// as they are.
  package func applied(to tensors: [TensorDescriptor]) -> [TensorDescriptor] {
    guard !others.isEmpty else { return tensors }
    let found = Set(tensors.map(\.name))
    return tensors.map { tensor in
      let name = own(tensor.name)
      guard name != tensor.name && !found.contains(name) else { return tensor }
      var tensor = tensor
      tensor.name = name
      return tensor
    }
  }

  private func own(_ name: String) -> String {
    let parts = name.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "blk", let own = others[String(parts[2])] else {
      return name
    }
    return "blk.\(parts[1]).\(own)"
  }
}

extension TensorNames {
  /// What names of the encoders begin with that some files carry beside the text model: of images,
  /// of sound, and what joins both to the text.
  static let encoders = ["v.", "a.", "mm."]
  /// Of layers that predict further tokens, where files have them beside the others.
  static let predictions = ["mtp."]
}
