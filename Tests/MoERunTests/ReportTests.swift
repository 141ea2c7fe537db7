import Foundation
import MoERuntime
import MoETestSupport
import MoETokenizer
import Testing

@Suite struct PlanTests {
  @Test func saysWhoGetsWhatMemory() async throws {
    let output = try await Program.run(
      "plan", TrainedModel.path, "--memory", "64M", "--probe", "none")
    #expect(output.code == 0)
    #expect(output.text.contains("ends a run before other programs (oom_score_adj 1000)"))
    #expect(output.text.contains(" threads: "))
    for row in ["process", "dense weights", "KV cache", "scratch", "experts", "total", "budget"] {
      #expect(output.text.contains("\n  \(row) "), "\(output.text)")
    }
  }

  @Test func namesStableFieldsForMachines() async throws {
    let plan = try await Program.run(
      "plan", "--json", TrainedModel.path, "--memory", "64M", "-c", "256", "--placement",
      "offloaded", "--probe", "none"
    ).json()
    #expect(
      plan.keys.sorted() == [
        "architecture", "budget_basis", "budget_bytes", "budget_note", "cache_policy",
        "chunk_tokens", "context_length", "expert_bytes", "expert_bytes_per_token", "experts",
        "experts_per_layer", "experts_per_token", "fits", "instruction_set",
        "kv_bytes_per_token", "layers", "lent_bytes", "lent_slots", "memory",
        "model", "model_bytes", "name", "oom_score_adj",
        "placement", "pool_slots", "smallest_budget_bytes",
        "state_bytes_per_sequence", "store", "threads", "threads_note", "total_bytes",
      ])
    #expect(plan["budget_bytes"] as? Int == 64 << 20)
    #expect(plan["context_length"] as? Int == 256)
    #expect(plan["placement"] as? String == "offloaded")
    #expect(plan["fits"] as? Bool == true)
    // 4 experts in each of 4 layers, 3 matrices of 64 x 256 elements, 34 bytes for 32 of them.
    #expect(plan["expert_bytes_per_token"] as? Int == 4 * 4 * 3 * 64 * 256 / 32 * 34)
    let rows = try #require(plan["memory"] as? [[String: Any]])
    let sum = rows.reduce(0) { $0 + ($1["bytes"] as? Int ?? 0) }
    #expect(plan["total_bytes"] as? Int == sum)
  }

  @Test func aBudgetThatIsTooSmallIsAFailureForPeopleAndAFieldForMachines() async throws {
    let output = try await Program.run("plan", TrainedModel.path, "--memory", "5M")
    #expect(output.code == 1)
    #expect(output.text.contains("smallest"))
    #expect(output.errorLines.count == 1)
    let json = try await Program.run("plan", TrainedModel.path, "--memory", "5M", "--json")
    #expect(json.code == 0)
    #expect(try json.json()["fits"] as? Bool == false)
  }

  /// A shell adds up what its children read.
  @Test func readsNoWeightsWithoutAProbe() async throws {
    func readByteCount(_ arguments: String...) async throws -> Int {
      let script = #""$@" >/dev/null </dev/null; echo "ended with $?"; cat /proc/$$/io"#
      let output = try await Program(
        ["-c", script, "sh", Program.url.path] + arguments,
        executable: URL(fileURLWithPath: "/bin/sh")
      ).end()
      #expect(output.text.hasPrefix("ended with 0\n"), "\(output.errors)")
      let line = output.text.split(separator: "\n").first { $0.hasPrefix("rchar:") }
      guard let line, let count = Int(line.dropFirst(7)) else {
        try Test.cancel("the kernel does not count the bytes that processes read")
      }
      return count
    }
    let size = try Data(contentsOf: URL(fileURLWithPath: TrainedModel.path)).count
    let plan = try await readByteCount("plan", TrainedModel.path, "--probe", "none")
    #expect(plan < size / 4)
    let run = try await readByteCount(
      TrainedModel.path, "-p", "x", "-n", "1", "--store", "pread", "--placement", "resident")
    #expect(run > size, "the count sees what a run reads")
  }
}

@Suite struct InspectTests {
  @Test func showsMetadataTensorsAndExperts() async throws {
    let output = try await Program.run("inspect", TrainedModel.path)
    #expect(output.code == 0)
    #expect(output.text.contains("runs here yes"))
    #expect(output.text.contains("4 of 32 in each of 4 layers; 51.0 KiB each"))
    #expect(output.text.contains("8.2 M, 2.7 M used by one token without look-ups"))
    #expect(output.text.contains("by a published law worth a dense model of 4.4 M"))
    #expect(output.text.contains("Order of magnitude only"))
    #expect(output.text.contains("\"blk.3.ffn_down_exps.weight\""))
    #expect(output.text.contains("4096 of [\"<|endoftext|>\""))
    let longest = output.text.split(separator: "\n").map(\.count).max() ?? 0
    #expect(longest < 300, "long values are cut")
  }

  @Test func showsTheSameToMachines() async throws {
    let report = try await Program.run("inspect", "-m", TrainedModel.path, "--json").json()
    #expect(report["supported"] as? Bool == true)
    #expect(report["architecture"] as? String == "qwen3moe")
    let experts = try #require(report["experts"] as? [String: Any])
    #expect(experts["per_token"] as? Int == 4)
    #expect(experts["bytes_per_token"] as? Int == 835_584)
    #expect((experts["layers"] as? [Any])?.count == 4)
    let parameters = try #require(report["parameters"] as? [String: Any])
    // Of 32 experts per layer a token takes 4: 7/8 of their weights are not used. The embedding is
    // the output matrix too.
    let total = try #require(parameters["total"] as? Int)
    let active = try #require(parameters["active"] as? Int)
    #expect(total - active == 4 * 28 * 3 * 256 * 64)
    #expect(parameters["expert_ratio"] as? Double == 8)
    #expect(try #require(parameters["effective"] as? Int) > active)
    #expect((parameters["limits"] as? String)?.contains("2202.01169") == true)
    let tensors = try #require(report["tensors"] as? [[String: Any]])
    #expect(tensors.count == 50)
    #expect(tensors.first?["shape"] as? [Int] == [256, 4096])
    let metadata = try #require(report["metadata"] as? [[String: Any]])
    let tokens = try #require(metadata.first { $0["key"] as? String == "tokenizer.ggml.tokens" })
    #expect(tokens["count"] as? Int == 4096)
    #expect((tokens["value"] as? [Any])?.count == 8)
  }

  @Test func showsModelsThatCannotBeRunAndSaysWhy() async throws {
    let scratch = try Scratch()
    var data = try Data(contentsOf: URL(fileURLWithPath: TrainedModel.path))
    while let range = data.range(of: Data("qwen3moe".utf8), in: 0..<100_000) {
      data.replaceSubrange(range, with: Data("strange1".utf8))
    }
    let path = try scratch.write(data, to: "strange.gguf")
    let output = try await Program.run("inspect", path)
    #expect(output.code == 0, "\(output.errors)")
    #expect(output.text.contains("runs here no: "))
    #expect(output.text.contains(#"the architecture "strange1" is not supported"#))
    #expect(output.text.contains("4 of 32 in each of 4 layers"))
    let report = try await Program.run("inspect", path, "--json").json()
    #expect(report["supported"] as? Bool == false)
    #expect((report["obstacle"] as? String)?.contains("strange1") == true)
    let tokens = try await Program.run("tokenize", path, "-p", "Once", "--ids")
    #expect(tokens.text == "762\n")
  }
}

@Suite struct TokenizeTests {
  @Test func showsIdsAndTexts() async throws {
    let output = try await Program.run("tokenize", TrainedModel.path, "-p", "Once upon\n\u{1B}[m")
    #expect(output.code == 0)
    #expect(output.text.hasPrefix("762\t\"Once\"\n673\t\" upon\"\n201\t\"\\n\"\n"))
    #expect(!output.text.contains("\u{1B}"), "nothing that a terminal would act on")
  }

  @Test func readsStandardInputAndWritesForMachines() async throws {
    let output = try await Program.run(
      "tokenize", TrainedModel.path, "--json", input: "Once upon")
    let report = try output.json()
    #expect(report["count"] as? Int == 2)
    let tokens = try #require(report["tokens"] as? [[String: Any]])
    #expect(tokens.map { $0["id"] as? Int } == [762, 673])
    #expect(tokens.map { $0["text"] as? String } == ["Once", " upon"])
  }

  @Test func readsNamesOfSpecialTokensOnlyWhereAllowed() async throws {
    let model = TrainedModel.path
    let special = try await Program.run(
      "tokenize", model, "-p", "<|im_start|>", "--ids", "--parse-special")
    #expect(special.text == "1\n")
    let plain = try await Program.run("tokenize", model, "-p", "<|im_start|>", "--ids")
    #expect(plain.text.split(separator: " ").count > 3)
  }

  @Test(TrainedModel.needed) func givesTheTokensOfTheReference() async throws {
    struct Golden: Decodable {
      struct Item: Decodable {
        let prompt: String
        let prompt_ids: [Int]
      }
      let items: [Item]
    }
    let golden = try JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: TrainedModel.file("golden_generation.json")))
    try #require(!golden.items.isEmpty)
    for item in golden.items {
      let output = try await Program.run(
        "tokenize", TrainedModel.path, "-p", item.prompt, "--ids", "--parse-special")
      #expect(output.text == item.prompt_ids.map(String.init).joined(separator: " ") + "\n")
    }
  }
}

@Suite struct PerplexityTests {
  /// The golden's tokens of a domain, as the text that they stand for.
  private func text(_ domain: String, tokenCount: Int) throws -> String {
    let data = try Data(contentsOf: TrainedModel.file("golden_tokens/\(domain).u16"))
    let bytes = [UInt8](data.prefix(2 * tokenCount))
    let tokens = stride(from: 0, to: bytes.count, by: 2).map {
      Int32(bytes[$0]) | Int32(bytes[$0 + 1]) << 8
    }
    return try Engine.tokenizer(ofModelAt: TrainedModel.path).decode(tokens)
  }

  @Test(TrainedModel.needed, arguments: ["all", "second-half"])
  func agreesWithTheReference(_ score: String) async throws {
    let golden = try #require(
      try JSONSerialization.jsonObject(
        with: Data(contentsOf: TrainedModel.file("golden_perplexity.json"))) as? [String: Any])
    let domains = try #require(golden["domains"] as? [String: [String: Any]])
    let figures = try #require(domains["stories"]?["q8_0"] as? [String: Double])
    let key = score.replacingOccurrences(of: "-", with: "_")
    let expected = try #require(figures[key])

    let output = try await Program.run(
      "perplexity", TrainedModel.path, "--score", score, "--json", "--expert-pool", "50%",
      "--parse-special",
      input: try text("stories", tokenCount: 4096))
    let report = try output.json()
    let perplexity = try #require(report["perplexity"] as? Double)
    #expect(abs(perplexity / expected - 1) < 0.005)
    #expect(report["tokens"] as? Int == 8 * (score == "all" ? 511 : 255))
    #expect(report["window_tokens"] as? Int == 512)
    #expect(output.errors.isEmpty)
  }

  @Test func saysWhatItScored() async throws {
    let output = try await Program.run(
      "perplexity", TrainedModel.path, "-c", "32", "--stride", "16", "--max-tokens", "48",
      input: String(repeating: "Once upon a time there was a little dog. ", count: 20))
    #expect(output.code == 0, "\(output.errors)")
    #expect(output.text.contains(" over 47 tokens "))
    let short = try await Program.run("perplexity", TrainedModel.path, input: "x")
    #expect(short.code == 1)
    #expect(short.errors.contains("the text has 1 tokens"))
  }
}
