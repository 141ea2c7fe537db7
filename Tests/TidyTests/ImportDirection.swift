/// Which of our modules may import which: from rows below its own, and C only through its owner.
enum ImportDirection {
  /// From the programs at the top down to the operating system.
  static let rows: [[String]] = [
    ["moe-run", "moe-bench"],
    ["MoEServer", "MoEHub", "CMoERuntime", "MoEReport"],
    ["MoERuntime", "MoECompression", "MoEAnalysis", "MoESynthetic"],
    ["MoEModel", "MoEFormats", "MoETokenizer", "MoETemplates", "MoEGrammar"],
    ["MoEExperts"],
    ["MoEStore", "MoECache"],
    ["MoEKernels"],
    ["MoECore"],
    ["MoEPlatform"],
  ]

  /// The one Swift module that imports each C module, and shows none of it to others.
  static let ownersOfC = [
    "CMoEKernelsInterface": "MoEKernels", "COpenBLAS": "MoEKernels", "CMoERing": "MoEStore",
    "CZstd": "MoEStore", "CLAPACK": "MoECompression", "CGLPK": "MoEAnalysis", "CZlib": "MoECore",
    "CMoERuntimeInterface": "CMoERuntime",
  ]

  /// Those that their owner implements for others, and shows.
  private static let interfacesInC: Set = ["CMoERuntimeInterface"]

  /// C targets and system libraries, which no Swift import reaches but through the table above.
  static let cModules = Set(ownersOfC.keys).union(["CMoEKernels", "CUring"])

  static func row(of module: String) -> Int? { rows.firstIndex { $0.contains(module) } }

  /// What is wrong with an import line of a module's file; nil for modules that are not ours.
  static func problem(inLine line: Substring, of module: String) -> String? {
    let pattern = /^\s*(?:@\w+ )*(\w+ )?import (?:(?:struct|class|enum|func|var) )?([\w-]+)/
    // Expressions are slow, and few lines have the word.
    guard line.split(separator: " ").contains("import"), let match = line.firstMatch(of: pattern)
    else { return nil }
    let imported = String(match.2)
    if cModules.contains(imported) {
      guard ownersOfC[imported] == module else { return "\(module) may not import \(imported)" }
      // Without a word an import is internal in this package: it ends at the module's border too.
      let isLeaking =
        ["package ", "public "].contains(match.1 ?? "") && !interfacesInC.contains(imported)
      return isLeaking ? "\(imported) must not be seen above \(module)" : nil
    }
    guard let below = row(of: imported) else { return nil }
    guard let here = row(of: module) else { return "\(module) has no row in ImportDirection" }
    return here < below ? nil : "\(module) may not import \(imported)"
  }
}
