import Foundation
import Testing

/// The house rules over everything in `Sources` and `Tests`.
@Suite struct TidyTests {
  @Test func findsTheFilesOfThePackage() {
    let modules = Set(SourceFile.all.map(\.module))
    #expect(modules.isSuperset(of: ["MoECore", "CMoEKernels", "TidyTests"]))
  }

  @Test(arguments: HouseRule.all.map(\.name)) func everyFileKeepsTheRule(_ name: String) throws {
    let rule = try #require(HouseRule.all.first { $0.name == name })
    for file in SourceFile.all {
      for (line, message) in rule.problems(file) {
        Issue.record("\(file.path):\(line): \(message)")
      }
    }
  }

  @Test func importsPointDown() {
    for file in SourceFile.all where file.isSwift && !file.isTest {
      for (index, line) in file.codeLines.enumerated() {
        if let problem = ImportDirection.problem(inLine: line, of: file.module) {
          Issue.record("\(file.path):\(index + 1): \(problem)")
        }
      }
    }
  }

  @Test func everyModuleHasItsPlaceInTheLayout() {
    for module in Set(SourceFile.all.filter { !$0.isTest }.map(\.module)) {
      let isKnown =
        ImportDirection.row(of: module) != nil || ImportDirection.cModules.contains(module)
      #expect(isKnown, "\(module) has no row in ImportDirection")
    }
  }

  @Test func theRingsHeaderShowsNothingOfLiburing() {
    for file in SourceFile.all where file.path.hasPrefix("Sources/CMoERing/include/") {
      #expect(!file.code.contains("liburing"), "\(file.path)")
      #expect(!file.code.contains("io_uring_"), "\(file.path)")
    }
  }

  /// A policy that is not registered is not tested.
  @Test func everyPolicyIsRegistered() throws {
    let registry = try #require(
      SourceFile.all.first { $0.path == "Sources/MoECache/PolicyRegistry.swift" })
    for file in SourceFile.all where file.path.hasPrefix("Sources/MoECache/Policies/") {
      let name = file.path.split(separator: "/")[3].dropLast(".swift".count)
      #expect(registry.code.contains("\(name)(geometry:"), "\(name) is missing in PolicyRegistry")
    }
  }
}
