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

// Networking takes minutes to build and only `moe-run serve` wants it.
let ifServer = TargetDependencyCondition.when(traits: ["Server"])
let ifTLS = TargetDependencyCondition.when(traits: ["TLS"])

// Where MOE_SUITES names suites, separated by bars, the others are left out and need not be built.
let chosenSuites = Context.environment["MOE_SUITES"].map {
  Set($0.split(separator: "|").map(String.init))
}

func chosen(_ targets: [Target]) -> [Target] {
  targets.filter { $0.type != .test || chosenSuites?.contains($0.name) != false }
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
    // For C and all that calls C: `make install` links it once more, with Swift's runtime inside.
    .library(name: "moerun", type: .dynamic, targets: ["CMoERuntime", "AMoEKernels"]),
    .executable(name: "moe-run", targets: ["moe-run", "AMoEKernels"]),
    .executable(name: "moe-bench", targets: ["moe-bench", "AMoEKernels"]),
    .library(name: "MoEServer", targets: ["MoEServer", "AMoEKernels"]),
  ],
  traits: [
    .default(enabledTraits: ["Server"]),
    // Without it products are built one by one, not all at once: MoEServer itself needs it.
    .trait(name: "Server", description: "`moe-run serve`: HTTP on Hummingbird."),
    // Off by default: building BoringSSL, which it needs twice, takes longer than all else.
    .trait(
      name: "TLS",
      description: "HTTPS: models from a hub, and certificates for `moe-run serve`.",
      enabledTraits: ["Server"]),
    // Off by default: it links a library of tens of megabytes that only quantising uses.
    .trait(
      name: "Compression",
      description: "Factors the matrices of GPTQ by OpenBLAS's LAPACK (libopenblas-dev)."),
    // Off by default: a program with GLPK in it is passed on under the GNU General Public License.
    .trait(
      name: "GLPK", description: "Places experts on devices by integer programming (libglpk-dev)."),
  ],
  dependencies: [
    // Flags, help and completion of the command line: Apple's own, kept current.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    // Heaps: Apple's own, tested exhaustively; one module of it is linked.
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    // HTTP: connections, streaming bodies and TLS on SwiftNIO, kept by its authors' circle.
    .package(
      url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    // The access log goes where the program's log goes.
    .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
    // Hummingbird's own vocabulary: channels and header fields.
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
    // HTTP the other way, for models from a hub: the client of Hummingbird's and NIO's authors.
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0", traits: []),
    // SHA-256 by the processor's own instructions, of files as large as models.
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
  ],
  targets: chosen([
    // C. No flags: instruction sets are chosen per function and at run time.
    // Swift's modules need the kernels' headers alone. The objects are named by what is linked
    // (products and test support), so that no module waits for sixty files of C; and the build
    // takes what is ready from the end of the alphabet, so their name leaves them for when a core
    // is idle.
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
    // LAPACK as OpenBLAS has it: two and a half times as fast as our loops on processors that it
    // knows, slower on others.
    .systemLibrary(name: "CLAPACK", providers: [.apt(["libopenblas-dev"])]),
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
    module("MoEFormats", ["MoECore", "MoEPlatform", "MoEStore"]),
    module("MoETokenizer", ["MoECore"]),
    module("MoETemplates", ["MoECore"]),
    module("MoEGrammar", ["MoECore"]),
    // Engine and public API.
    module(
      "MoERuntime",
      [
        "MoECore", "MoEPlatform", "MoEKernels", "MoEStore", "MoECache", "MoEExperts", "MoEModel",
        "MoEFormats", "MoETokenizer", "MoETemplates", "MoEGrammar",
        .product(name: "HeapModule", package: "swift-collections"),
      ]),

    // The same for C: its header, and what implements it.
    .target(name: "CMoERuntimeInterface"),
    module(
      "CMoERuntime",
      [
        "CMoERuntimeInterface", "MoERuntime", "MoETemplates", "MoETokenizer", "MoECore",
        "MoEPlatform",
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
        .target(name: "CLAPACK", condition: .when(traits: ["Compression"])),
      ]),

    // Models with random weights, for benchmarks and tests.
    module(
      "MoESynthetic",
      ["MoECore", "MoEPlatform", "MoEKernels", "MoEExperts", "MoEModel", "MoEFormats"]),

    // HTTP over the engine.
    .target(
      name: "MoEServer",
      dependencies: [
        "MoERuntime", "MoEExperts", "MoETemplates", "MoETokenizer", "MoECore", "MoEPlatform",
        .product(name: "HummingbirdCore", package: "hummingbird", condition: ifServer),
        .product(
          name: "HummingbirdTLS", package: "hummingbird", condition: ifTLS),
        .product(name: "Logging", package: "swift-log", condition: ifServer),
        .product(name: "NIOCore", package: "swift-nio", condition: ifServer),
        .product(name: "NIOPosix", package: "swift-nio", condition: ifServer),
        .product(name: "HTTPTypes", package: "swift-http-types", condition: ifServer),
      ],
      resources: [.embedInCode("Resources/page.html")],
      swiftSettings: swiftSettings),

    // Models from a hub.
    .target(
      name: "MoEHub",
      dependencies: [
        "MoEFormats", "MoECore", "MoEPlatform",
        .product(name: "AsyncHTTPClient", package: "async-http-client", condition: ifTLS),
        .product(name: "Crypto", package: "swift-crypto", condition: ifTLS),
        .product(name: "NIOCore", package: "swift-nio", condition: ifTLS),
        .product(name: "NIOHTTP1", package: "swift-nio", condition: ifTLS),
        .product(name: "NIOPosix", package: "swift-nio", condition: ifTLS),
      ],
      swiftSettings: swiftSettings),

    // Programs.
    .executableTarget(
      name: "moe-run",
      dependencies: [
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        "MoERuntime", "MoECompression", "MoEAnalysis", "MoEReport", "MoETokenizer",
        "MoETemplates", "MoECache", "MoEStore", "MoEModel", "MoEExperts", "MoEKernels", "MoECore",
        "MoEPlatform",
        .target(name: "MoEServer", condition: ifServer),
        .target(name: "MoEHub", condition: ifTLS),
        .product(name: "Logging", package: "swift-log", condition: ifServer),
      ],
      // The text that gatings are calibrated on, in the program itself.
      resources: [.embedInCode("Resources/calibration.txt")],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "moe-bench",
      dependencies: [
        "MoECore", "MoEPlatform", "MoEKernels", "MoEStore", "MoECache", "MoEExperts", "MoEModel",
        "MoEAnalysis", "MoEFormats", "MoETokenizer", "MoERuntime", "MoESynthetic",
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
    suite("MoEGrammarTests", ["MoEGrammar", "MoECore", "MoETestSupport"]),
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
      "MoECompressionTests",
      [
        "MoESynthetic", "MoECompression", "MoEModel", "MoEExperts", "MoEStore", "MoEKernels",
        "MoEFormats", "MoECore", "MoEPlatform", "MoETestSupport",
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
    suite(
      "MoEServerTests",
      [
        "MoEServer", "MoERuntime", "MoETemplates", "MoETokenizer", "MoECore", "MoETestSupport",
        .product(name: "Logging", package: "swift-log", condition: ifServer),
      ]),
    suite(
      "MoEHubTests",
      [
        "MoEHub", "moe-run", "MoESynthetic", "MoEFormats", "MoECore", "MoEPlatform",
        "MoETestSupport",
        .product(name: "Crypto", package: "swift-crypto", condition: ifTLS),
      ]),
    // Depends on the program so that it is built before the tests that run it.
    suite(
      "MoERunTests",
      [
        "MoESynthetic",
        "moe-run", "MoERuntime", "MoEAnalysis", "MoETokenizer", "MoEFormats", "MoECore",
        "MoETestSupport",
      ]),
    // Installs and runs what the products moerun and moe-run are linked from.
    suite(
      "CMoERuntimeTests",
      ["CMoERuntime", "CMoERuntimeInterface", "MoETemplates", "MoECore", "MoETestSupport"]),
    suite("TidyTests", []),
  ]),
  cLanguageStandard: .gnu17
)
