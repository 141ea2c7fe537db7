// swift-tools-version: 6.2
import PackageDescription

/// One set of language settings for every Swift target of the package.
let swiftSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func suite(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

let package = Package(
  name: "moe-runtime",
  products: [
    // With the modules whose public types its interface shows, and the kernels' objects.
    .library(
      name: "MoERuntime",
      targets: [
        "MoERuntime", "MoECore", "MoETokenizer", "MoEFormats", "MoEModel", "MoEExperts",
        "AMoEKernels",
      ]),
    .executable(name: "moe-run", targets: ["moe-run", "AMoEKernels"]),
    .executable(name: "moe-bench", targets: ["moe-bench", "AMoEKernels"]),
  ],
  traits: [
    // Off by default: a program with GLPK in it is passed on under the GNU General Public License.
    .trait(
      name: "GLPK", description: "Places experts on devices by integer programming (libglpk-dev).")
  ],
  dependencies: [
    // Flags, help and completion of the command line: Apple's own, kept current.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    // Heaps: Apple's own, tested exhaustively; one module of it is linked.
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
  ],
  targets: [
    // C. No flags: instruction sets are chosen per function and at run time.
    // Swift's modules need the kernels' headers alone. The objects are named by what is linked
    // (products and test support), so that no module waits for sixty files of C; and the build takes
    // what is ready from the end of the alphabet, so their name leaves them for when a core is idle.
    .target(name: "CMoEKernelsInterface"),
    .target(
      name: "AMoEKernels", dependencies: ["CMoEKernelsInterface"], path: "Sources/CMoEKernels"),
    .target(name: "CMoERing", dependencies: ["CUring"]),
    // liburing: the kernel interface's own library, maintained by its author.
    .systemLibrary(name: "CUring", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),
    // zlib: inflate and CRC-32 of trace archives, as every system has them, fuzzed for decades.
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    // zstd: the fastest entropy coder in every distribution, its format frozen (RFC 8878).
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    // GLPK: the one solver of integer programs in Debian 12 with a C interface and no other parts.
    .systemLibrary(name: "CGLPK", providers: [.apt(["libglpk-dev"])]),

    // The operating system.
    module("MoEPlatform", []),
    // Vocabulary.
    module("MoECore", ["MoEPlatform", "CZlib"]),
    // Mathematics, bytes, residency.
    module("MoEKernels", ["MoECore", "CMoEKernelsInterface"]),
    module("MoEStore", ["MoECore", "MoEPlatform", "MoEKernels", "CMoERing", "CZstd"]),
    module("MoECache", ["MoECore"]),
    // Where expert weights come from.
    module("MoEExperts", ["MoECore", "MoEKernels", "MoEStore", "MoECache"]),
    // Models, files, text.
    module("MoEModel", ["MoECore", "MoEKernels", "MoECache", "MoEExperts"]),
    module("MoEFormats", ["MoECore", "MoEPlatform"]),
    module("MoETokenizer", ["MoECore"]),
    module("MoETemplates", ["MoECore"]),
    // Engine and public API.
    module(
      "MoERuntime",
      [
        "MoECore", "MoEPlatform", "MoEKernels", "MoEStore", "MoECache", "MoEExperts", "MoEModel",
        "MoEFormats", "MoETokenizer", "MoETemplates",
        .product(name: "HeapModule", package: "swift-collections"),
      ]),

    // Routing traces, cache replay, performance model: works on traces and figures alone.
    module(
      "MoEAnalysis",
      [
        "MoECore", "MoEPlatform", "MoECache",
        .target(name: "CGLPK", condition: .when(traits: ["GLPK"])),
      ]),

    // What an analysis says, as pages and text for people.
    module("MoEReport", ["MoECore", "MoEAnalysis"]),

    // Bundles of experts, written.
    module(
      "MoECompression",
      [
        "MoECore", "MoEPlatform", "MoEKernels", "MoEStore", "MoEExperts", "MoEModel", "MoEFormats",
      ]),

    // Models with random weights, for benchmarks and tests.
    module(
      "MoESynthetic",
      ["MoECore", "MoEPlatform", "MoEKernels", "MoEExperts", "MoEModel", "MoEFormats"]),

    // Programs.
    .executableTarget(
      name: "moe-run",
      dependencies: [
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        "MoERuntime", "MoECompression", "MoEAnalysis", "MoEReport", "MoETokenizer",
        "MoETemplates", "MoECache", "MoEStore", "MoECore", "MoEPlatform",
      ],
      // The text that gatings are calibrated on, in the program itself.
      resources: [.embedInCode("Resources/calibration.txt")],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "moe-bench",
      dependencies: [
        "MoECore", "MoEPlatform", "MoEKernels", "MoEStore", "MoECache", "MoEExperts", "MoEModel",
        "MoEAnalysis", "MoEFormats", "MoETokenizer", "MoESynthetic",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),

    // Tests.
    .target(
      name: "MoETestSupport",
      dependencies: [
        "MoECore", "MoEPlatform", "MoEKernels", "MoEStore", "MoEExperts", "MoEModel", "MoEFormats",
        "MoEAnalysis", "MoESynthetic", "AMoEKernels",
      ],
      path: "Tests/MoETestSupport", swiftSettings: swiftSettings),
    suite("MoEPlatformTests", ["MoEPlatform"]),
    suite("MoECoreTests", ["MoESynthetic", "MoECore", "MoEPlatform", "MoETestSupport"]),
    suite("MoEKernelsTests", ["MoESynthetic", "MoEKernels", "MoECore", "MoETestSupport"]),
    suite(
      "MoEFormatsTests",
      ["MoESynthetic", "MoEFormats", "MoEModel", "MoECore", "MoEPlatform", "MoETestSupport"]),
    suite("MoETokenizerTests", ["MoETokenizer", "MoEFormats", "MoECore", "MoETestSupport"]),
    suite("MoETemplatesTests", ["MoETemplates", "MoECore", "MoETestSupport"]),
    suite("MoECacheTests", ["MoECache", "MoECore", "MoETestSupport"]),
    suite("MoEAnalysisTests", ["MoEAnalysis", "MoECache", "MoECore", "MoETestSupport"]),
    suite(
      "MoEStoreTests", ["MoEStore", "MoEKernels", "MoECore", "MoEPlatform", "MoETestSupport"]),
    suite(
      "MoEExpertsTests",
      [
        "MoESynthetic", "MoEExperts", "MoEStore", "MoECache", "MoEKernels", "MoECore",
        "MoETestSupport",
      ]),
    suite(
      "MoEModelTests",
      [
        "MoESynthetic",
        "MoERuntime", "MoEModel", "MoEExperts", "MoEStore", "MoECache", "MoEKernels", "MoEFormats",
        "MoECore", "MoETestSupport",
      ]),
    suite(
      "MoERuntimeTests",
      [
        "MoESynthetic",
        "moe-run", "MoERuntime", "MoETemplates", "MoEAnalysis", "MoEModel", "MoETokenizer",
        "MoEFormats",
        "MoECache", "MoECore", "MoEPlatform", "MoETestSupport",
      ]),
    suite(
      "GoldenTests",
      [
        "MoESynthetic",
        "MoERuntime", "MoECompression", "MoEAnalysis", "MoEModel", "MoEExperts", "MoEStore",
        "MoEKernels", "MoEFormats", "MoETokenizer", "MoECore", "MoETestSupport",
      ]),
    suite(
      "SimulationTests",
      [
        "MoESynthetic",
        "MoERuntime", "MoEAnalysis", "MoEModel", "MoEExperts", "MoEStore", "MoECache", "MoEKernels",
        "MoEFormats", "MoECore", "MoEPlatform", "MoETestSupport",
      ]),
    // Depends on the program so that it is built before the tests that run it.
    suite(
      "MoERunTests",
      [
        "MoESynthetic",
        "moe-run", "MoERuntime", "MoEAnalysis", "MoETokenizer", "MoEFormats", "MoECore",
        "MoETestSupport",
      ]),
    suite("TidyTests", []),
  ],
  cLanguageStandard: .gnu17
)
