#if TLS
  import MoECore
  import MoEHub
  import MoETestSupport
  import Testing

  /// What names of models, files and variants mean, and which are refused.
  @Suite struct NameTests {
    @Test(arguments: [
      ("a/b", "a", "b", nil),
      ("Qwen/Qwen3-30B-A3B-GGUF:Q8_0", "Qwen", "Qwen3-30B-A3B-GGUF", "Q8_0"),
      ("a_b/c.d:x/y.gguf", "a_b", "c.d", "x/y.gguf"), ("a/b:c:d", "a", "b", "c:d"),
    ])
    func readsNames(_ text: String, _ owner: String, _ name: String, _ variant: String?) throws {
      let model = try HubModelName(parsing: text)
      #expect(model.owner == owner)
      #expect(model.name == name)
      #expect(model.variant == variant)
      #expect(model.description == text)
    }

    @Test(arguments: [
      "", "a", "a/", "/b", "a/b/c", "a//b", "../b", "a/..", "a/.b", "-a/b", "a/b:", "a b/c",
      "a/b?c",
      "a/b#c", "a/ü", "a/b--c", "a/b..c", "\(String(repeating: "x", count: 97))/b", "a/b\n",
      "a/%2e",
      "http://a/b", "model.gguf",
    ])
    func refusesOtherNames(_ text: String) {
      #expect(throws: HubError.badName(text)) { try HubModelName(parsing: text) }
    }

    private func file(_ path: String, _ byteCount: Int = 1) throws -> HubFile {
      let digest = try #require(FileDigest(hexadecimal: Digests.sha256(Array(path.utf8))))
      return HubFile(path: path, byteCount: byteCount, digest: digest)
    }

    @Test(arguments: [
      ("Qwen3-30B-A3B-Q4_K_M.gguf", "Q4_K_M"), ("olmoe.q8_0.gguf", "Q8_0"),
      ("Qwen3-30B-A3B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"), ("UD-IQ1_S/m-UD-IQ1_S.gguf", "UD-IQ1_S"),
      ("gpt-oss-20b-MXFP4.gguf", "MXFP4"), ("gpt-oss-20b-mxfp4_moe.GGUF", "MXFP4_MOE"),
      ("m-BF16.gguf", "BF16"), ("m-f16.gguf", "F16"), ("m_TQ1_0.gguf", "TQ1_0"),
      ("Q6_K.gguf", "Q6_K"),
      ("ggml-model.gguf", "ggml-model"), ("Qwen3.gguf", "Qwen3"),
      ("d/m-IQ4_NL-00001-of-00001.gguf", "IQ4_NL"),
    ])
    func labelsAreTheEndsOfNames(_ path: String, _ label: String) throws {
      #expect(ModelVariant.all([try file(path)]).map(\.label) == [label])
    }

    @Test func shardsAreOneVariantInTheirOrder() throws {
      let paths = [2, 3, 1].map { "Q8_0/m-Q8_0-0000\($0)-of-00003.gguf" }
      let variants = ModelVariant.all(
        try paths.map { try file($0, 100) } + [
          try file("m-Q2_K.gguf", 7), try file("mmproj-F16.gguf"),
        ])
      #expect(variants.map(\.label) == ["Q2_K", "Q8_0"])
      #expect(variants[1].files.map(\.path) == [paths[2], paths[0], paths[1]])
      #expect(variants[1].byteCount == 300)
      #expect(variants[1].missingPath == nil)
    }

    @Test func aShardThatIsMissingIsNamed() throws {
      let variants = ModelVariant.all([
        try file("m-Q8_0-00001-of-00003.gguf"), try file("m-Q8_0-00003-of-00003.gguf"),
      ])
      let missing = "m-Q8_0-00002-of-00003.gguf"
      #expect(variants.map(\.missingPath) == [missing])
      #expect(throws: HubError.missingShard(path: missing)) {
        try ModelVariant.choose("Q8_0", of: variants, model: "a/b")
      }
    }

    @Test func countsOfShardsThatMeanNothingDoNoHarm() throws {
      for name in ["m-00001-of-00000.gguf", "m-00000-of-00000.gguf", "m-99999-of-99999.gguf"] {
        let variants = ModelVariant.all([try file(name)])
        #expect(variants.count == 1, "\(name)")
      }
      let huge = ModelVariant.all([
        try file("m-00001-of-00002.gguf", .max), try file("m-00002-of-00002.gguf", .max),
      ])
      #expect(huge[0].byteCount == .max)
    }

    @Test func theUsualVariantIsTakenWhereNoneIsNamed() throws {
      let all = ModelVariant.all([
        try file("m-Q4_K_M.gguf"), try file("m-UD-Q4_K_M.gguf"), try file("m-Q8_0.gguf"),
      ])
      func choice(_ wanted: String?) throws -> String {
        try ModelVariant.choose(wanted, of: all, model: "a/b").files[0].path
      }
      #expect(try choice(nil) == "m-Q4_K_M.gguf")
      #expect(try choice("q8_0") == "m-Q8_0.gguf")
      #expect(try choice("UD-Q4_K_M") == "m-UD-Q4_K_M.gguf")
      #expect(try choice("m-Q8_0.gguf") == "m-Q8_0.gguf")
      let error = #expect(throws: HubError.self) { try choice("Q9") }
      #expect("\(try #require(error))".contains("has no Q9; it has "))
      #expect("\(try #require(error))".contains("Q8_0"))
    }

    @Test func withoutTheUsualVariantTheListIsTold() throws {
      let all = ModelVariant.all([try file("m-Q2_K.gguf"), try file("m-Q8_0.gguf")])
      let error = #expect(throws: HubError.self) {
        try ModelVariant.choose(nil, of: all, model: "a/b")
      }
      #expect("\(try #require(error))" == "a/b has no Q4_K_M; it has Q2_K, Q8_0")
      #expect(throws: HubError.noModelFiles(model: "a/b")) {
        try ModelVariant.choose(nil, of: [], model: "a/b")
      }
    }

    @Test func twoFilesOfOneLabelAreChosenByTheirPaths() throws {
      let all = ModelVariant.all([try file("a/m-Q8_0.gguf"), try file("b/m-Q8_0.gguf")])
      let error = #expect(throws: HubError.self) {
        try ModelVariant.choose("Q8_0", of: all, model: "a/b")
      }
      #expect("\(try #require(error))".contains("a/b:a/m-Q8_0.gguf, a/b:b/m-Q8_0.gguf"))
      let chosen = try ModelVariant.choose("b/m-Q8_0.gguf", of: all, model: "a/b")
      #expect(chosen.files[0].path == "b/m-Q8_0.gguf")
    }

    @Test(arguments: [
      "", "xyz", String(repeating: "A", count: 64), String(repeating: "a", count: 63),
    ])
    func digestsAreHexadecimalDigits(_ text: String) {
      #expect(FileDigest(hexadecimal: text) == nil)
    }

    @Test func theRateIsThatOfTheLastSeconds() throws {
      var rate = TransferRate()
      #expect(rate.text(restByteCount: 5) == nil)
      let second: UInt64 = 1_000_000_000
      // 1 MiB a second for a minute, then 2 MiB a second.
      var byteCount = 0
      for tick in 0..<240 {
        rate.add(byteCount, at: UInt64(tick) * second / 2)
        byteCount += tick < 120 ? 1 << 19 : 1 << 20
        if tick == 60 { #expect(rate.bytesPerSecond == 1_048_576) }
      }
      #expect(rate.bytesPerSecond == 2_097_152)
      #expect(rate.text(restByteCount: 10 << 20) == "2.0 MiB/s, 5 s left")
      #expect(rate.text(restByteCount: 250 << 20) == "2.0 MiB/s, 2 min 5 s left")
      #expect(rate.text(restByteCount: 14_400 << 20) == "2.0 MiB/s, 2 h 0 min left")
    }
  }
#endif
