/// A chat template of ours, for a model file that has none.
package struct BuiltInTemplate: Sendable {
  package let name: String
  /// One sentence.
  package let summary: String
  package let source: String
}

/// The templates that a user can name instead of a file's own.
///
/// They write the formats that the families were trained on, without tools and reasoning, which
/// differ from model to model within a family. Where a format has no system message, its text goes
/// before that of the next user message.
package enum BuiltInTemplateRegistry {
  package static let all = [
    BuiltInTemplate(
      name: "chatml",
      summary: "Messages between <|im_start|> and <|im_end|>, as Qwen and many others.",
      source: prelude + #"""
        {%- for message in messages -%}
        {{- '<|im_start|>' ~ message.role ~ '\n' ~ text(message) ~ '<|im_end|>\n' -}}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
        """#),
    BuiltInTemplate(
      name: "llama2",
      summary: "User messages between [INST] and [/INST], each turn a sequence, as Llama 2.",
      source: prelude + #"""
        {%- set ns = namespace(system='') -%}
        {%- for message in messages -%}
        {%- if message.role == 'system' -%}
        {%- set ns.system = '<<SYS>>\n' ~ text(message)|trim ~ '\n<</SYS>>\n\n' -%}
        {%- elif message.role == 'assistant' -%}
        {{- ' ' ~ text(message)|trim ~ ' </s>' -}}
        {%- else -%}
        {{- bos_token ~ '[INST] ' ~ ns.system ~ text(message)|trim ~ ' [/INST]' -}}
        {%- set ns.system = '' -%}
        {%- endif -%}
        {%- endfor -%}
        """#),
    BuiltInTemplate(
      name: "llama3",
      summary: "Roles between <|start_header_id|> and <|end_header_id|>, as Llama 3.",
      source: prelude + #"""
        {%- macro header(role) -%}
        {{- '<|start_header_id|>' ~ role ~ '<|end_header_id|>\n\n' -}}
        {%- endmacro -%}
        {{- bos_token -}}
        {%- for message in messages -%}
        {{- header(message.role) ~ text(message)|trim ~ '<|eot_id|>' -}}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- header('assistant') -}}{%- endif -%}
        """#),
    BuiltInTemplate(
      name: "gemma",
      summary: "Turns of user and model between <start_of_turn> and <end_of_turn>, as Gemma.",
      source: prelude + #"""
        {{- bos_token -}}
        {%- set ns = namespace(system='') -%}
        {%- for message in messages -%}
        {%- if message.role == 'system' -%}
        {%- set ns.system = ns.system ~ text(message)|trim ~ '\n\n' -%}
        {%- elif message.role == 'assistant' -%}
        {{- '<start_of_turn>model\n' ~ text(message)|trim ~ '<end_of_turn>\n' -}}
        {%- else -%}
        {{- '<start_of_turn>user\n' ~ ns.system ~ text(message)|trim ~ '<end_of_turn>\n' -}}
        {%- set ns.system = '' -%}
        {%- endif -%}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}
        """#),
    BuiltInTemplate(
      name: "mistral",
      summary: "User messages between [INST] and [/INST] in one sequence, as Mistral.",
      source: prelude + #"""
        {{- bos_token -}}
        {%- set ns = namespace(system='') -%}
        {%- for message in messages -%}
        {%- if message.role == 'system' -%}
        {%- set ns.system = ns.system ~ text(message) ~ '\n\n' -%}
        {%- elif message.role == 'assistant' -%}
        {{- ' ' ~ text(message)|trim ~ '</s>' -}}
        {%- else -%}
        {{- '[INST] ' ~ ns.system ~ text(message) ~ ' [/INST]' -}}
        {%- set ns.system = '' -%}
        {%- endif -%}
        {%- endfor -%}
        """#),
    BuiltInTemplate(
      name: "deepseek",
      summary: "Messages after <｜User｜> and <｜Assistant｜>, the system's before all, as DeepSeek.",
      source: prelude + #"""
        {{- bos_token -}}
        {%- for message in messages -%}
        {%- if message.role == 'system' -%}
        {{- text(message) -}}
        {%- elif message.role == 'assistant' -%}
        {{- '<｜Assistant｜>' ~ text(message) ~ '<｜end▁of▁sentence｜>' -}}
        {%- else -%}
        {{- '<｜User｜>' ~ text(message) -}}
        {%- endif -%}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- '<｜Assistant｜>' -}}{%- endif -%}
        """#),
    BuiltInTemplate(
      name: "phi3",
      summary: "Messages between a role such as <|user|> and <|end|>, as Phi-3 and Phi-3.5.",
      source: prelude + #"""
        {%- set tags = {'system': '<|system|>', 'assistant': '<|assistant|>'} -%}
        {%- for message in messages -%}
        {{- tags.get(message.role, '<|user|>') ~ '\n' ~ text(message) ~ '<|end|>\n' -}}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{- '<|assistant|>\n' -}}{%- endif -%}
        """#),
  ]

  package static func template(named name: String) -> BuiltInTemplate? {
    all.first { $0.name == name }
  }

  /// The macro `text`: a message's content, whether it is a text or parts.
  private static let prelude = #"""
    {%- macro text(message) -%}
    {%- if message.content is string -%}
    {{- message.content -}}
    {%- elif message.content is not none -%}
    {%- for part in message.content -%}{{- part.text -}}{%- endfor -%}
    {%- endif -%}
    {%- endmacro -%}

    """#
}
