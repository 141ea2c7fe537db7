import MoECore
import MoERuntime
import MoETokenizer

extension Endpoint {
  static let props = Endpoint(
    method: .get, path: "/props", summary: "Tells what is served, in llama-server's words.",
    family: "llama-server"
  ) { exchange in
    let model = try exchange.model()
    var options = GenerationOptions()
    options.tokenCountMax = nil
    options.sampling = exchange.core.options.sampling
    func text(_ token: Int32?) -> JSON { .text(token.flatMap { model.tokenizer.text(of: $0) }) }
    return .json([
      "default_generation_settings": [
        "id": 0, "n_ctx": .integer(model.contextLength), "is_processing": false,
        "params": options.settingsJSON,
      ],
      "total_slots": .integer(exchange.core.options.slotCount),
      "model_alias": .string(model.name), "model_path": .string(model.engine.plan.path),
      "chat_template": .string(model.templateText),
      "modalities": ["vision": false, "audio": false],
      "bos_token": text(model.tokenizer.beginToken),
      "eos_token": text(model.tokenizer.endToken), "build_info": "moe-run", "is_sleeping": false,
    ])
  }

  static let slots = Endpoint(
    method: .get, path: "/slots", summary: "Lists the texts that are being written.",
    family: "llama-server"
  ) { exchange in
    let model = try exchange.model()
    let running = model.running.all
    let count = max(exchange.core.options.slotCount, running.count)
    return .json(
      .array(
        (0..<count).map { slot in
          let entry = slot < running.count ? running[slot] : nil
          return .members([
            "id": .integer(slot), "n_ctx": .integer(model.contextLength),
            "is_processing": .bool(entry != nil), "id_task": .integer(entry?.number ?? -1),
            "n_prompt_tokens": entry.map { .integer($0.promptTokenCount) },
            "n_decoded": entry.map { .integer($0.generatedTokenCount) },
          ])
        }))
  }
}
