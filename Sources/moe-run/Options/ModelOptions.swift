import ArgumentParser

/// Which model: as an argument or with -m.
struct ModelOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "The model: a GGUF file, any shard of one, or the folder of a published model.",
      valueName: "model.gguf"),
    completion: .file(extensions: ["gguf"]))
  var argument: String?

  @Option(
    name: [.customShort("m"), .customLong("model")],
    help: ArgumentHelp("The model, as a flag.", valueName: "model.gguf"),
    completion: .file(extensions: ["gguf"]))
  var flag: String?

  func path() throws(Failure) -> String {
    switch (argument, flag) {
    case (let path?, nil), (nil, let path?): return path
    case (let argument?, let flag?):
      throw .usage("give one model, not both '\(argument)' and -m '\(flag)'")
    case (nil, nil): throw .usage("give a model: moe-run MODEL.gguf, or -m MODEL.gguf")
    }
  }
}
