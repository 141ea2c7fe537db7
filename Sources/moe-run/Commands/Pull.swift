#if TLS
  import ArgumentParser
  import MoEHub

  /// `moe-run pull`: models from a hub.
  struct Pull: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Download a model from a hub, or list its files and what each needs here.",
      discussion: """
        OWNER/NAME lists the GGUF files; only their headers are read. OWNER/NAME:QUANT, with one \
        of the names in the list, downloads the file or all of its shards into the hub's cache \
        folder, goes on where an earlier download stopped, and writes the path to standard output.

        HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean what they mean to \
        the hub's own programs.
        """)

    @Argument(help: ArgumentHelp("The model.", valueName: "owner/name[:quant]"))
    var name: String

    @OptionGroup(title: "Memory and machine") var context: ContextOptions
    @OptionGroup(title: "Memory and machine") var memory: MemoryOptions

    @Flag(help: "Write the list as JSON.")
    var json = false

    @Flag(name: [.customShort("q"), .long], help: "No progress on standard error.")
    var quiet = false

    func run() async throws {
      let model = try HubModel(name, isQuiet: quiet)
      if model.name.variant != nil {
        if json {
          throw Failure.usage("--json is for the list, without a quant: \(model.name.path)")
        }
        return try StandardOutput.write(try await model.path() + "\n")
      }
      let options = memory.engineOptions(contextLength: context.ctxSize)
      let list: VariantList
      do throws(HubError) {
        list = try await VariantList(model, options)
      } catch {
        try HubModel.check(error)
        throw Failure.runtime(error.description)
      }
      try StandardOutput.write(json ? JSONReport.text(list) : list.text)
    }
  }
#endif
