internal import ArgumentParser
private import Foundation
private import MoEFormats
private import MoESynthetic

/// Writes a model of a published shape with random weights.
struct Synthesize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a model with the header of a published file and random weights.",
    discussion: """
      Metadata, tokenizer, tensors' names, shapes and formats are those of the file; its weights \
      are not read, so they may be a hole. Tokens have topics, and a topic's tokens go to similar \
      experts: the shares say how similar. The text that such a model writes is word salad; sample \
      it with temperature 1.
      """)

  @Argument(help: "A GGUF file, of which the header is used.")
  var header: String

  @Argument(help: "The file to write.")
  var output: String

  @Option(help: "Write the first layers alone, so many.")
  var layers: Int?

  @Option(
    help: ArgumentHelp(
      "Write a format in place of another one, such as Q5_K=Q4_K; may be given again.",
      valueName: "from=to"))
  var retype: [String] = []

  @Option(help: "Share of the routing that a topic's tokens have in common, 0 to 1.")
  var locality: Float = 0.45

  @Option(help: "Share of the routing that all tokens have in common, 0 to 1.")
  var skew: Float = 0.1

  @Option(help: "Topics that tokens are dealt to.")
  var topics = 64

  @Option(help: "Probability that a sampled token is of the topic of the token before.")
  var stay: Float = 0.95

  @Option(help: "Gives another model of the same shape.")
  var seed: UInt64 = 1

  func validate() throws {
    guard locality >= 0, skew >= 0, locality + skew <= 1 else {
      throw ValidationError(
        "--locality is \(locality) and --skew \(skew); give shares that are 1 at most together")
    }
    guard (2...4096).contains(topics) else {
      throw ValidationError("--topics is \(topics); give 2 to 4096")
    }
    guard stay > 0, stay < 1 else {
      throw ValidationError("--stay is \(stay); give a probability between 0 and 1")
    }
    // Above all not the published file itself, whose weights would be gone.
    guard !FileManager.default.fileExists(atPath: output) else {
      throw ValidationError("“\(output)” is there already; give another name, or remove it first")
    }
    _ = try formats()
  }

  private func formats() throws -> [GGMLType: GGMLType] {
    var formats: [GGMLType: GGMLType] = [:]
    for pair in retype {
      let names = pair.split(separator: "=").map { String($0) }
      guard names.count == 2, let from = GGMLType(name: names[0]), let to = GGMLType(name: names[1])
      else {
        throw ValidationError("--retype has “\(pair)”; give two formats, such as Q5_K=Q4_K")
      }
      formats[from] = to
    }
    return formats
  }

  func run() throws {
    var shape = try PublishedShape(path: header)
    shape.layerCount = layers
    shape.formats = try formats()
    (shape.skew, shape.locality, shape.stay) = (skew, locality, stay)
    (shape.topicCount, shape.seed) = (topics, seed)
    let byteCount = try shape.byteCount()
    let start = Date()
    try shape.write(to: output)
    let seconds = Date().timeIntervalSince(start)
    print(
      "wrote \(decimal(Double(byteCount) / 1e9, 2)) GB in \(decimal(seconds, 0)) s to \(output)")
  }
}
