import Foundation
import MoECore
import MoEFormats
import MoEModel
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Plans for the header of a large model that is never written in full.
@Suite struct MemoryPlannerTests {
  private static let mebibyte = 1 << 20
  private let description: ModelDescription
  private let tensors: ModelTensors

  init() throws {
    var model = SyntheticModel(.olmoe)
    (model.layerCount, model.hiddenSize, model.headCount) = (16, 2048, 16)
    (model.keyValueHeadCount, model.headDimension) = (16, 128)
    (model.expertCount, model.expertsPerToken, model.expertWidth) = (64, 8, 1024)
    (model.vocabularySize, model.contextLength) = (4096, 4096)
    model.formats = .fourBit
    let header = try HeaderOnly(model)
    description = try ArchitectureRegistry.describe(metadata: header.file, tensors: header.tensors)
    tensors = try ModelTensors(
      description: description, tensors: header.tensors, file: header.file.sourceName)
  }

  private func plan(
    _ byteCount: Int, process: Int = 20 << 20, context: Int = 4096,
    _ change: (inout EngineOptions) -> Void = { _ in }
  ) throws -> MemoryPlan {
    try planner(byteCount, process: process, context: context, change).plan()
  }

  /// The plan of a run, which may shorten the context.
  private func fitting(
    _ byteCount: Int, _ change: (inout EngineOptions) -> Void = { _ in }
  ) throws -> MemoryPlan {
    try planner(byteCount, process: 20 << 20, context: 4096, change).fittingPlan()
  }

  private func planner(
    _ byteCount: Int, process: Int, context: Int, _ change: (inout EngineOptions) -> Void
  ) -> MemoryPlanner {
    var options = EngineOptions()
    change(&options)
    return MemoryPlanner(
      description: description, tensors: tensors, modelByteCount: 3 << 30, options: options,
      threadCount: 4, contextLength: context, processByteCount: process,
      budget: MemoryBudget(
        .bytes(byteCount), modelByteCount: 0, processByteCount: process))
  }

  @Test func aBudgetThatHoldsEverythingMakesExpertsResident() throws {
    let plan = try plan(64 << 30)
    #expect(plan.placement == .resident && plan.fits)
    #expect(plan.slotCount == 16 * 64 && plan.expertCount == 16 * 64)
    // Not more than is of use.
    #expect(plan.totalByteCount < 5 << 30)
  }

  @Test func memoryGivenIsMemoryPlanned() throws {
    let smallest = try plan(1).smallestBudgetByteCount >> 20
    for mebibytes in stride(from: smallest + 1, through: 3000, by: 97) {
      let plan = try plan(mebibytes << 20)
      #expect(plan.fits && plan.placement == .offloaded)
      // What is left over is less than an expert, a unit of mapping, and the plan's rounding.
      let slack = plan.budgetByteCount - plan.totalByteCount
      #expect(slack < 9 * Self.mebibyte, "\(slack) bytes of \(mebibytes) MiB unused")
    }
  }

  @Test func moreMemoryNeverMeansFewerSlots() throws {
    let slots = try stride(from: 1000, through: 5000, by: 50).map {
      try plan($0 << 20) { $0.chunkTokenCount = 64 }.slotCount
    }
    #expect(slots == slots.sorted() && Set(slots).count > 40)
  }

  @Test(arguments: [1, 100, 512, 4096]) func theSmallestBudgetFits(_ context: Int) throws {
    let refused = try plan(1, context: context)
    #expect(!refused.fits)
    let smallest = refused.smallestBudgetByteCount
    #expect(try plan(smallest, context: context).fits)
    #expect(try !plan(smallest - 3 * Self.mebibyte, context: context).fits)
    let argument = try SizeSpecification(parsing: refused.smallestBudgetArgument)
    let rounded = argument.byteCount(of: 0)
    #expect(rounded >= smallest && rounded - smallest < Self.mebibyte)
    #expect(try plan(rounded, context: context).smallestBudgetByteCount == smallest)
  }

  @Test func chunksShrinkWhereMemoryIsScarce() throws {
    #expect(try plan(64 << 30).chunkTokenCount == 2048)
    let scarce = try plan(plan(1).smallestBudgetByteCount)
    #expect(scarce.chunkTokenCount <= 16)
    #expect(try plan(64 << 30) { $0.chunkTokenCount = 33 }.chunkTokenCount == 33)
    #expect(try plan(64 << 30, context: 20) { $0.chunkTokenCount = 33 }.chunkTokenCount == 20)
    #expect(try plan(64 << 30, context: 1).chunkTokenCount == 1)
  }

  @Test func aCapOnThePoolIsKept() throws {
    let capped = try plan(64 << 30) { $0.expertPool = .bytes(300 << 20) }
    #expect(capped.placement == .offloaded && capped.experts.byteCount <= 300 << 20)
    #expect(capped.experts.basis == .user)
    let share = try plan(64 << 30) { $0.expertPool = .fraction(0.5) }
    #expect((500...524).contains(share.slotCount))
    let error = #expect(throws: EngineError.self) {
      try plan(64 << 30) { $0.expertPool = .bytes(1 << 20) }
    }
    #expect(error?.description.contains("the expert pool must be at least") == true)
  }

  @Test func residentExpertsThatDoNotFitAreNoFittingPlan() throws {
    let plan = try plan(1 << 30) { $0.placement = .resident }
    #expect(!plan.fits && plan.placement == .resident)
    let enough = plan.smallestBudgetByteCount
    #expect(try self.plan(enough) { $0.placement = .resident }.fits)
  }

  @Test func aStoreThatHoldsTheFilesNeedsRoomForThem() throws {
    let smallest = try plan(1).smallestBudgetByteCount
    let holding = try plan(1) { $0.store = .memory }
    #expect(holding.smallestBudgetByteCount > smallest + (3 << 30))
    #expect(holding.rows.contains { $0.name == "files" && $0.byteCount == 3 << 30 })
  }

  @Test func theTableNamesEveryRowItsSizeAndItsBasis() throws {
    let plan = try plan(1 << 30)
    let lines = plan.table.split(separator: "\n")
    #expect(lines.count == plan.rows.count + 4)
    for (line, row) in zip(lines, plan.rows + [plan.experts]) {
      #expect(line.contains(row.name) && line.contains(row.basis.rawValue))
      #expect(line.contains("\(row.byteCount >> 20)") && line.contains("MiB"))
    }
    #expect(lines.last?.hasSuffix(" \(plan.smallestBudgetArgument)") == true)
  }
}

/// What becomes of the context where memory is short.
extension MemoryPlannerTests {
  private static let standard = 4096

  @Test func aContextThatNobodyAskedForShrinksToWhatFits() throws {
    let smallest = try plan(1).smallestBudgetByteCount
    let least = try fitting(1).smallestBudgetByteCount
    #expect(least < smallest - (300 << 20))
    #expect(try fitting(1).contextLength == 1024)
    var previous = 0
    for byteCount in stride(from: least, to: smallest, by: 16 << 20) {
      let found = try fitting(byteCount)
      #expect(found.fits && found.remedies.isEmpty)
      #expect(found.contextLength >= previous && found.contextLength >= 1024)
      #expect(found.smallestBudgetByteCount == least)
      let row = try #require(found.rows.first { $0.name == "KV cache" })
      #expect(row.note.contains("as many as fit") == (found.contextLength < Self.standard))
      // One step more would not have fitted.
      if found.contextLength < Self.standard {
        #expect(try !plan(byteCount, context: found.contextLength + 128).fits)
      }
      previous = found.contextLength
    }
    #expect(previous < Self.standard)
    #expect(try fitting(smallest).contextLength == Self.standard)
  }

  @Test func aContextThatWasAskedForStays() throws {
    let least = try fitting(1).smallestBudgetByteCount
    let refused = try fitting(least) { $0.contextLength = Self.standard }
    #expect(!refused.fits && refused.contextLength == Self.standard)
    guard refused.remedies.count == 2,
      case .memory(let byteCount) = refused.remedies[0],
      case .contextLength(let length) = refused.remedies[1]
    else {
      Issue.record("\(refused.remedies)")
      return
    }
    #expect(try fitting(byteCount) { $0.contextLength = Self.standard }.fits)
    #expect((1024..<1280).contains(length))
    #expect(try plan(least, context: length).fits)
  }

  @Test func smallerKeysAndValuesAreAWayOutWhereTheyAreEnough() throws {
    let enough = try plan(1).smallestBudgetByteCount
    let refused = try fitting(enough) {
      ($0.contextLength, $0.kvCacheType) = (Self.standard, .f32)
    }
    #expect(!refused.fits && refused.remedies.last == .kvCacheType(.f16))
    #expect(
      "\(EngineError.budgetTooSmall(refused))".hasSuffix(", or keys and values in f16"))
    let scarce = try fitting(1) { ($0.contextLength, $0.kvCacheType) = (Self.standard, .f32) }
    #expect(scarce.remedies == [.memory(byteCount: scarce.smallestBudgetByteCount)])
  }
}

/// The header of a model, in a file as large as the weights would make it.
private struct HeaderOnly {
  let file: GGUFFile
  var tensors: [TensorDescriptor] { file.tensors }

  init(_ model: SyntheticModel) throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "header.gguf")
    try model.writeHeader(to: url)
    file = try GGUFFile(path: url.path)
  }
}
