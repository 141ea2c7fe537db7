import MoECore

/// The members of requests, as JSON schema, for the description of the interface.
enum RequestSchema {
  private static let text: JSON = ["type": "string"]
  private static let flag: JSON = ["type": ["boolean", "null"]]

  private static func integer(_ least: Int, _ most: Int? = nil) -> JSON {
    .members([
      "type": ["integer", "null"], "minimum": .integer(least), "maximum": most.map(JSON.integer),
    ])
  }

  private static func number(_ least: Int, _ most: Int) -> JSON {
    ["type": ["number", "null"], "minimum": .integer(least), "maximum": .integer(most)]
  }

  private static func object(
    _ properties: KeyValuePairs<String, JSON?>, required: [String], isOpen: Bool = true
  ) -> JSON {
    [
      "type": "object", "properties": .members(properties),
      "required": .array(required.map(JSON.string)), "additionalProperties": .bool(isOpen),
    ]
  }

  private static func list(_ element: JSON, least: Int = 0) -> JSON {
    ["type": "array", "items": element, "minItems": .integer(least)]
  }

  private static func either(_ schemas: JSON...) -> JSON { ["anyOf": .array(schemas)] }

  private static func content(_ types: [String]) -> JSON {
    either(
      text,
      list(
        object(
          ["type": ["enum": .array(types.map(JSON.string))], "text": text],
          required: ["type", "text"])))
  }

  private static let stop: JSON = ["type": "string", "maxLength": 128]

  private static let stops = either(
    stop, ["type": "array", "items": stop, "maxItems": .integer(SamplingFields.stopCountMax)],
    ["type": "null"])

  private static let biases: JSON = [
    "type": ["object", "null"], "propertyNames": ["pattern": "^[0-9]{1,3}$"],
    "additionalProperties": ["type": "number", "minimum": -100, "maximum": 100],
  ]

  private static func add(_ more: KeyValuePairs<String, JSON?>) -> JSON {
    JSON.members([
      "model": text, "stream": flag, "temperature": number(0, 100), "top_p": number(0, 1),
      "top_k": integer(-1), "min_p": number(0, 1), "seed": integer(-1),
      "presence_penalty": number(-100, 100), "frequency_penalty": number(-100, 100),
      "logit_bias": biases, "return_progress": flag, "cache_prompt": flag,
    ]).adding(more)
  }

  private static func request(_ properties: JSON, required: [String]) -> JSON {
    [
      "type": "object", "properties": properties,
      "required": .array(required.map(JSON.string)), "additionalProperties": true,
    ]
  }

  private static let message = object(
    [
      "role": ["enum": ["system", "developer", "user", "assistant", "tool"]],
      "content": content(["text"]), "tool_call_id": text, "reasoning_content": text,
    ], required: ["role", "content"])

  private static let tool = object(
    [
      "type": ["enum": ["function"]],
      "function": object(
        ["name": text, "description": text, "parameters": ["type": "object"], "strict": flag],
        required: ["name"]),
    ], required: ["type", "function"])

  static let chatCompletion = request(
    add([
      "messages": list(message, least: 1), "max_tokens": integer(-1),
      "max_completion_tokens": integer(-1), "n": integer(1, AnswerRequest.choiceCountMax),
      "stop": stops, "logprobs": flag, "top_logprobs": integer(0, 20), "tools": list(tool),
      "tool_choice": ["enum": ["auto", "none"]], "parallel_tool_calls": flag,
      "response_format": object(["type": ["enum": ["text"]]], required: ["type"]),
      "stream_options": object(["include_usage": flag], required: []),
      "chat_template_kwargs": ["type": "object"],
    ]), required: ["messages"])

  private static let prompt = either(
    text, list(text, least: 1), list(["type": "integer"], least: 1))

  static let textCompletion = request(
    add([
      "prompt": prompt, "max_tokens": integer(-1), "n": integer(1, AnswerRequest.choiceCountMax),
      "stop": stops, "logprobs": integer(0, 20), "echo": flag,
      "stream_options": object(["include_usage": flag], required: []),
    ]), required: ["prompt"])

  static let llamaCompletion = request(
    add([
      "prompt": prompt, "n_predict": integer(-1), "stop": stops, "n_probs": integer(0, 100),
      "return_tokens": flag, "grammar": text,
    ]), required: ["prompt"])

  static let response = request(
    add([
      "input": either(
        text,
        list(
          object(
            [
              "type": ["enum": ["message"]],
              "role": ["enum": ["user", "assistant", "system", "developer"]],
              "content": content(["input_text", "output_text"]),
            ], required: ["role", "content"]), least: 1)),
      "instructions": text, "max_output_tokens": integer(-1),
      "tools": list(
        object(
          ["type": ["enum": ["function"]], "name": text, "parameters": ["type": "object"]],
          required: ["type", "name"])),
      "tool_choice": ["enum": ["auto", "none"]], "metadata": ["type": "object"],
    ]), required: ["input"])

  static let messages = request(
    add([
      "messages": list(
        object(
          ["role": ["enum": ["user", "assistant"]], "content": content(["text"])],
          required: ["role", "content"]), least: 1),
      "max_tokens": integer(0), "system": content(["text"]), "stop_sequences": list(text),
      "tools": list(
        object(["name": text, "input_schema": ["type": "object"]], required: ["name"])),
      "thinking": object(["type": ["enum": ["enabled", "disabled"]]], required: ["type"]),
    ]), required: ["messages", "max_tokens"])

  static let tokenize = object(
    ["content": text, "add_special": flag, "parse_special": flag, "with_pieces": flag],
    required: ["content"])

  static let detokenize = object(
    ["tokens": list(["type": "integer"])], required: ["tokens"])
}
