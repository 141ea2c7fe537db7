import MoECore
import MoERuntime
import MoETokenizer

extension Endpoint {
  static let models = Endpoint(
    method: .get, path: "/models", summary: "Lists the model that is served.", family: "OpenAI"
  ) { exchange in
    .json(["object": "list", "data": [modelJSON(try exchange.model())]])
  }

  static let model = Endpoint(
    method: .get, path: "/models/{id}", summary: "Tells of the model that is served.",
    family: "OpenAI"
  ) { exchange in
    let model = try exchange.model()
    guard exchange.parameter == model.name else {
      throw APIError(
        status: 404, type: "invalid_request_error",
        message: "no model is called \(exchange.parameter.quotedForMessage); there is "
          + model.name.quotedForMessage, parameter: "model", code: "model_not_found")
    }
    return .json(modelJSON(model))
  }

  private static func modelJSON(_ model: ServedModel) -> JSON {
    [
      "id": .string(model.name), "object": "model", "created": .integer(model.createdSeconds),
      "owned_by": "moe-run",
      "meta": [
        "n_ctx": .integer(model.contextLength),
        "n_vocab": .integer(model.tokenizer.vocabularySize),
        "size": .integer(model.engine.plan.modelByteCount),
      ],
    ]
  }
}
