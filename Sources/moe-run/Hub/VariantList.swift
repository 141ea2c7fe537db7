#if TLS
  import MoECore
  import MoEHub
  import MoEReport
  import MoERuntime

  /// What a hub has of a model, and what each variant would need here. `pull --json` writes these
  /// properties in snake_case as its keys.
  struct VariantList: Encodable, Sendable {
    struct Row: Encodable, Sendable {
      /// How it is chosen.
      let quant: String
      /// Its file, or the first of its shards.
      let path: String
      let files: Int
      let bytes: Int
      /// Whether it is in the cache folder.
      let isHere: Bool
      /// Why it does not run here; the others are absent then.
      var obstacle: String?
      var fits: Bool?
      var budgetBytes: Int?
      /// What a run would take of the budget.
      var totalBytes: Int?
      var smallestBudgetBytes: Int?
      var placement: ExpertPlacement?
      /// Experts in memory at a time, and all.
      var heldExperts: Int?
      var experts: Int?

      init(_ variant: ModelVariant, isHere: Bool) {
        quant = variant.label
        path = variant.files[0].path
        files = variant.files.count
        bytes = variant.byteCount
        self.isHere = isHere
      }

      fileprivate mutating func set(_ plan: MemoryPlan) {
        fits = plan.fits
        budgetBytes = plan.budgetByteCount
        totalBytes = plan.totalByteCount
        smallestBudgetBytes = plan.smallestBudgetByteCount
        placement = plan.placement
        heldExperts = plan.slotCount + plan.lentSlotCount
        experts = plan.expertCount
      }
    }

    let model: String
    let commit: String
    private(set) var variants: [Row]

    /// Variants whose headers are read at the same time: each may take tens of MiB.
    private static let sideBySideCount = 4

    /// Asks the hub; reads of every variant the header and no more.
    init(_ model: HubModel, _ options: EngineOptions) async throws(HubError) {
      self = try await model.interruptible { hub throws(HubError) in
        let listing = try await hub.listing(of: model.name)
        guard !listing.variants.isEmpty else { throw .noModelFiles(model: model.name.path) }
        return try await VariantList(listing, model, options, hub)
      }
    }

    private init(
      _ listing: HubListing, _ model: HubModel, _ options: EngineOptions, _ hub: Hub
    ) async throws(HubError) {
      let cache = HubCache(model.name, in: model.settings.cacheFolder)
      self.model = model.name.path
      commit = listing.commit
      variants = listing.variants.map { Row($0, isHere: cache.holds($0)) }
      let bar = ProgressBar("reading headers", isQuiet: model.isQuiet)
      var done = 0
      for start in stride(from: 0, to: variants.count, by: Self.sideBySideCount) {
        let end = min(start + Self.sideBySideCount, variants.count)
        let rows = variants
        let outcomes = await withTaskGroup(of: (Int, Result<Row, HubError>).self) { group in
          for index in start..<end {
            group.addTask {
              (
                index,
                await Self.planned(rows[index], listing.variants[index], listing, options, hub)
              )
            }
          }
          return await group.reduce(into: []) { $0.append($1) }
        }
        for (index, outcome) in outcomes { variants[index] = try outcome.get() }
        done += outcomes.count
        bar.update(done, variants.count)
      }
      bar.erase()
    }

    /// The row with what the variant would need here, or with why it does not run.
    private static func planned(
      _ row: Row, _ variant: ModelVariant, _ listing: HubListing, _ options: EngineOptions,
      _ hub: Hub
    ) async -> Result<Row, HubError> {
      var row = row
      let header: ModelHeader
      do throws(HubError) {
        header = try await HubModel.header(of: variant, in: listing, from: hub)
      } catch {
        switch error {
        case .format, .missingShard, .file:
          row.obstacle = error.description
          return .success(row)
        default: return .failure(error)
        }
      }
      do throws(EngineError) {
        row.set(try Engine.plan(modelAt: header.path, options: options).memory)
      } catch {
        row.obstacle = header.named(error.flagDescription)
      }
      return withExtendedLifetime(header) { .success(row) }
    }
  }

  extension VariantList {
    /// The list for people.
    var text: String {
      let cells = variants.map { row in
        [
          row.quant, "\(ByteSize(row.bytes))", row.files > 1 ? "\(row.files) files" : "",
          row.isHere ? "here" : "", row.need,
        ]
      }
      return """
        \(model), commit \(commit.prefix(8))
        \(Columns.text(cells, right: [1, 2]))\
        download one with: moe-run pull \(model):QUANT

        """
    }
  }

  extension VariantList.Row {
    /// What it would need here, in a few words.
    fileprivate var need: String {
      if let obstacle { return "does not run here: \(obstacle)" }
      guard let fits, let budgetBytes, let totalBytes, let smallestBudgetBytes else { return "" }
      let budget = ByteSize(budgetBytes)
      guard fits else {
        let least = (smallestBudgetBytes + (1 << 20) - 1) >> 20
        return "too large for \(budget): needs at least --memory \(least)M"
      }
      guard placement != .resident, let heldExperts, let experts, experts > 0 else {
        return "\(ByteSize(totalBytes)) of \(budget), all in memory"
      }
      return
        "\(ByteSize(totalBytes)) of \(budget), \(heldExperts * 100 / experts) % of its experts "
        + "in memory, the others read from disk"
    }
  }
#endif
