import MoECore
import MoETokenizer

extension Endpoint {
  static let tokenize = Endpoint(
    method: .post, path: "/tokenize", summary: "Gives the tokens of a text.",
    family: "llama-server", request: RequestSchema.tokenize
  ) { exchange in
    let model = try exchange.model()
    let unknown = UnknownFields()
    var fields = try exchange.fields(unknown)
    guard let text = try fields.string("content") else {
      throw APIError.invalid("content", "content is missing; give a text")
    }
    let addsSpecial = try fields.bool("add_special") ?? false
    let parsesSpecial = try fields.bool("parse_special") ?? true
    let hasPieces = try fields.bool("with_pieces") ?? false
    fields.finish()
    exchange.core.log(unknown, of: "/tokenize")
    let tokens = model.tokenizer.encode(
      text, addSpecial: addsSpecial, parseSpecial: parsesSpecial)
    return .json([
      "tokens": .array(
        tokens.map { token in
          hasPieces
            ? ["id": .integer(Int(token)), "piece": piece(token, model.tokenizer)]
            : .integer(Int(token))
        })
    ])
  }

  /// A token's text; its bytes where they are no text.
  private static func piece(_ token: Int32, _ tokenizer: Tokenizer) -> JSON {
    let bytes = tokenizer.bytes(of: token, renderSpecial: true)
    if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
    return .array(bytes.map { .integer(Int($0)) })
  }

  static let detokenize = Endpoint(
    method: .post, path: "/detokenize", summary: "Gives the text of tokens.",
    family: "llama-server", request: RequestSchema.detokenize
  ) { exchange in
    let model = try exchange.model()
    let unknown = UnknownFields()
    var fields = try exchange.fields(unknown)
    guard let elements = try fields.array("tokens") else {
      throw APIError.invalid("tokens", "tokens is missing; give a list of ids")
    }
    let tokens = try elements.map { element throws(APIError) -> Int32 in
      guard let id = element.wholeNumber, (0..<model.tokenizer.vocabularySize).contains(id) else {
        throw fields.wrong(
          "tokens",
          wanted: "a list of ids from 0 to \(model.tokenizer.vocabularySize - 1)", element)
      }
      return Int32(id)
    }
    fields.finish()
    exchange.core.log(unknown, of: "/detokenize")
    return .json(["content": .string(model.tokenizer.decode(tokens))])
  }
}
