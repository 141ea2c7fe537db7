#if TLS
  import Foundation
  import MoEHub
  import MoETestSupport
  import Testing

  /// What the environment says.
  @Suite struct SettingsTests {
    private static let home = ["HOME": "/h"]

    @Test func theUsualPlacesAreTakenWithoutVariables() throws {
      let settings = try HubSettings(environment: Self.home)
      #expect(settings.endpoint.text == "https://huggingface.co")
      #expect(settings.endpoint.origin == "https://huggingface.co:443")
      #expect(settings.cacheFolder == "/h/.cache/huggingface/hub")
      #expect(settings.token == nil)
      #expect(!settings.isOffline)
    }

    @Test(arguments: [
      (["XDG_CACHE_HOME": "/x"], "/x/huggingface/hub"), (["HF_HOME": "/y"], "/y/hub"),
      (["HF_HUB_CACHE": "/z", "HF_HOME": "/y"], "/z"),
      (["HF_HUB_CACHE": ""], "/h/.cache/huggingface/hub"),
    ])
    func foldersAreThoseOfTheHubsPrograms(_ variables: [String: String], _ folder: String) throws {
      let settings = try HubSettings(environment: variables.merging(Self.home) { $1 })
      #expect(settings.cacheFolder == folder)
    }

    @Test func withoutAnyFolderTheVariableIsNamed() {
      let error = #expect(throws: HubError.self) { try HubSettings(environment: [:]) }
      #expect(error.map { "\($0)" }?.contains("HF_HUB_CACHE") == true)
    }

    @Test(arguments: ["1", "on", "YES", "True"]) func offlineIsAWordForYes(_ word: String) throws {
      let on = try HubSettings(environment: Self.home.merging(["HF_HUB_OFFLINE": word]) { $1 })
      #expect(on.isOffline)
      let off = try HubSettings(environment: Self.home.merging(["HF_HUB_OFFLINE": "0"]) { $1 })
      #expect(!off.isOffline)
    }

    @Test(arguments: ["", "ftp://a", "a", "http://", "http://u:p@a", "http://a?b", "http://a#b"])
    func addressesAreChecked(_ address: String) throws {
      if address.isEmpty { return #expect(try HubSettings(environment: Self.home).token == nil) }
      let error = #expect(throws: HubError.self) {
        try HubSettings(environment: Self.home.merging(["HF_ENDPOINT": address]) { $1 })
      }
      #expect(error.map { "\($0)" }?.hasPrefix("HF_ENDPOINT: ") == true)
    }

    @Test func aMirrorMayHaveAPathAndASlash() throws {
      let settings = try HubSettings(
        environment: Self.home.merging(["HF_ENDPOINT": "http://Mirror:8080/hub/"]) { $1 })
      #expect(settings.endpoint.origin == "http://mirror:8080")
      #expect(settings.endpoint.withoutSlash.hasSuffix("8080/hub"))
    }

    @Test func theTokenIsTheVariablesOrTheFiles() throws {
      let folder = try TemporaryFolder()
      let environment = ["HF_HOME": folder.url.path]
      #expect(try HubSettings(environment: environment).token == nil)
      try Data("hf_file\n".utf8).write(to: folder.url.appending(path: "token"))
      #expect(try HubSettings(environment: environment).token == "hf_file")
      let both = environment.merging(["HF_TOKEN": "hf_variable"]) { $1 }
      #expect(try HubSettings(environment: both).token == "hf_variable")
      let other = environment.merging(["HF_TOKEN_PATH": "/nowhere"]) { $1 }
      #expect(try HubSettings(environment: other).token == nil)
    }

    @Test(arguments: ["a b", "a\r\nX-Other: b", "tökén", String(repeating: "x", count: 5000)])
    func tokensThatWouldBreakARequestAreRefused(_ token: String) {
      let error = #expect(throws: HubError.self) {
        try HubSettings(environment: Self.home.merging(["HF_TOKEN": token]) { $1 })
      }
      let text = error.map { "\($0)" } ?? ""
      #expect(text.hasPrefix("HF_TOKEN: "))
      #expect(!text.contains(token))
    }
  }
#endif
