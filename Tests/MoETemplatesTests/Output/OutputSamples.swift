import MoETemplates
import Testing

/// An output as a model of one style writes it, and what it says.
struct OutputSample: Sendable, CustomTestStringConvertible {
  let name: String
  let styles: [String]
  let text: String
  var startsInThinking = false
  let turn: @Sendable () -> OutputTurn

  var testDescription: String { "\(styles.joined(separator: "+")): \(name)" }
}

enum OutputTools {
  static let weatherSchema = """
    {"type": "object", "properties": {"place": {"type": "string"},
     "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}, "required": ["place"]}
    """
  static let routeSchema = """
    {"type": "object", "properties": {"stops": {"type": "array", "items": {"type": "string"}},
     "avoid": {"type": "object", "properties": {"tolls": {"type": "boolean"}}},
     "limit": {"type": "integer", "default": 3}}, "required": ["stops"]}
    """

  static func all() throws -> [OutputTool] {
    [
      try OutputTool(name: "get_weather", schema: weatherSchema),
      try OutputTool(name: "find_route", schema: routeSchema),
      OutputTool(name: "now"),
    ]
  }
}

/// Arguments with what is hard in them: a marker of every style and characters of all lengths.
private let hard =
  "</tool_call> <|call|> <｜tool▁call▁end｜> [TOOL_CALLS] <|tool_call_end|> é漢🙂 \\\"{["

private func weather(_ place: String = "Oslo", id: String? = nil) -> OutputTurn.Call {
  OutputTurn.Call(id: id, name: "get_weather", arguments: #"{"place": "\#(place)"}"#)
}

private let routeArguments =
  #"{"stops": ["Oslo", "Bergen"], "avoid": {"tolls": true}, "limit": 1}"#

private func route(id: String? = nil) -> OutputTurn.Call {
  OutputTurn.Call(id: id, name: "find_route", arguments: routeArguments)
}

private func json(_ place: String) -> String { #"{"place": "\#(place)"}"# }

enum OutputSamples {
  static let all: [OutputSample] = text + tagged + objects + headed + whole

  static let text: [OutputSample] = [
    OutputSample(name: "plain", styles: ["plain"], text: " <think>a</think> {\n ") {
      OutputTurn(content: " <think>a</think> {\n ")
    },
    OutputSample(
      name: "a section", styles: ["think"], text: "<think>\nÉ < 2?\nYes.\n</think>\n\nNo <b>.\n"
    ) { OutputTurn(thinking: "É < 2?\nYes.", content: "No <b>.\n") },
    OutputSample(
      name: "opened by the prompt", styles: ["think"], text: "Hm </thin <think> .\n</think>\n\nA.",
      startsInThinking: true
    ) { OutputTurn(thinking: "Hm </thin <think> .", content: "A.") },
    OutputSample(
      name: "opened twice", styles: ["think", "hermes"], text: "\n<think>\nHm</think>A",
      startsInThinking: true
    ) { OutputTurn(thinking: "Hm", content: "A") },
    OutputSample(name: "closing alone", styles: ["think"], text: "</think>\nA </think> <think>") {
      OutputTurn(content: "A </think> <think>")
    },
    OutputSample(name: "never closed", styles: ["think"], text: "<think>\na\n b </thi") {
      OutputTurn(thinking: "a\n b </thi")
    },
    OutputSample(
      name: "a section", styles: ["mistral-think", "mistral"], text: "[THINK]a[b[/THINK]c [/THINK"
    ) { OutputTurn(thinking: "a[b", content: "c [/THINK") },
  ]

  static let objects: [OutputSample] = [
    OutputSample(
      name: "two calls", styles: ["think", "hermes"],
      text: """
        <think>
        Two <tool_call> .
        </think>

        I look.
        <tool_call>
        {"name": "get_weather", "arguments": \(json("Oslo"))}
        </tool_call>
        <tool_call>
        {"name": "find_route", "arguments": \(routeArguments)}
        </tool_call>
        """
    ) {
      OutputTurn(
        thinking: "Two <tool_call> .", content: "I look.", calls: [weather(), route()])
    },
    OutputSample(
      name: "markers in strings", styles: ["hermes"],
      text: "<tool_call>{\"name\": \"get_weather\", \"arguments\": \(json(hard))}</tool_call>\n"
    ) { OutputTurn(calls: [weather(hard)]) },
    OutputSample(
      name: "arguments first, as a string", styles: ["hermes"],
      text: #"<tool_call>{"arguments":"{\"place\": \"\u00e9\"}","name":"get_weather"}</tool_call>"#
    ) { OutputTurn(calls: [weather("é")]) },
    OutputSample(
      name: "none, then content", styles: ["hermes"],
      text: "a <tool_cal <tool_call> is a tag\n<tool_call>{\"name\": \"now\"}</tool_call> b"
    ) {
      OutputTurn(
        content: "a <tool_cal <tool_call> is a tagb",
        calls: [OutputTurn.Call(name: "now", arguments: "{}")])
    },
    OutputSample(
      name: "an array", styles: ["mistral"],
      text: "[TOOL_CALLS] [{\"name\": \"get_weather\", \"arguments\": \(json(hard)), "
        + "\"id\": \"call00001\"}, {\"name\": \"find_route\", \"arguments\": \(routeArguments)}]"
    ) { OutputTurn(calls: [weather(hard), route()]) },
    OutputSample(
      name: "array", styles: ["tool-call-list"],
      text: "<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": \(json("Oslo"))}, "
        + "{\"name\": \"find_route\", \"arguments\": \(routeArguments)}]<|/tool_call|>"
    ) { OutputTurn(calls: [weather(), route()]) },
    OutputSample(
      name: "with a marker", styles: ["llama"],
      text: "<|python_tag|>{\"type\": \"function\", \"name\": \"get_weather\", \"parameters\": "
        + "\(json(hard))}; {\"name\": \"find_route\", \"parameters\": \(routeArguments)}"
    ) { OutputTurn(calls: [weather(hard), route()]) },
    OutputSample(
      name: "bare", styles: ["llama"],
      text: "\n {\"name\": \"get_weather\", \"parameters\": \(json("Oslo"))}\n"
    ) { OutputTurn(calls: [weather()]) },
    OutputSample(
      name: "JSON that is no call", styles: ["llama"],
      text: " {\"name\": \"get_weather\", \"age\": [1, 2]} {\"name\": 1}"
    ) { OutputTurn(content: " {\"name\": \"get_weather\", \"age\": [1, 2]} {\"name\": 1}") },
    OutputSample(
      name: "an unknown tool", styles: ["llama"], text: #"{"name": "Bob", "parameters": {}}"#
    ) { OutputTurn(content: #"{"name": "Bob", "parameters": {}}"#) },
    OutputSample(
      name: "a list", styles: ["pythonic"],
      text: "[get_weather(place='Os\\'lo \"x\"'), find_route(stops=[\"Oslo\", 'Bergen'], "
        + "avoid={'tolls': True}, limit=1), now()]"
    ) {
      OutputTurn(calls: [
        weather(#"Os'lo \"x\""#), route(), OutputTurn.Call(name: "now", arguments: "{}"),
      ])
    },
    OutputSample(name: "no list of calls", styles: ["pythonic"], text: "[x](http://y) [now()]") {
      OutputTurn(content: "[x](http://y) [now()]")
    },
    OutputSample(
      name: "a list", styles: ["lfm2"],
      text: "Wait. <|tool_call_start|>[get_weather(place=\"<|tool_call_end|>é\"), "
        + "find_route(stops=[\"Oslo\",\"Bergen\"],avoid={\"tolls\":True},limit=1)]"
        + "<|tool_call_end|>So."
    ) {
      OutputTurn(content: "Wait.So.", calls: [weather("<|tool_call_end|>é"), route()])
    },
    OutputSample(
      name: "JSON", styles: ["lfm2"],
      text: "<|tool_call_start|>[{\"name\": \"get_weather\", \"arguments\": \(json("Oslo"))}]"
        + "<|tool_call_end|>"
    ) { OutputTurn(calls: [weather()]) },
  ]

  static let headed: [OutputSample] = [
    OutputSample(
      name: "names and arguments", styles: ["mistral"],
      text: "Ok[TOOL_CALLS]get_weather[ARGS]\(json(hard))[TOOL_CALLS]find_route[CALL_ID]a1"
        + "[ARGS]\(routeArguments)"
    ) { OutputTurn(content: "Ok", calls: [weather(hard), route(id: "a1")]) },
    OutputSample(
      name: "V3.1", styles: ["think", "deepseek"],
      text: "Hm.</think>Ok.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"
        + "\(json(hard))<｜tool▁call▁end｜><｜tool▁call▁begin｜>find_route<｜tool▁sep｜>"
        + "\(routeArguments)<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
      startsInThinking: true
    ) { OutputTurn(thinking: "Hm.", content: "Ok.", calls: [weather(hard), route()]) },
    OutputSample(
      name: "R1", styles: ["think", "deepseek"],
      text: "<think>\nHm.\n</think>\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function"
        + "<｜tool▁sep｜>get_weather\n```json\n\(json("Oslo"))\n```<｜tool▁call▁end｜>\n"
        + "<｜tool▁call▁begin｜>function<｜tool▁sep｜>find_route\n```json\n\(routeArguments)\n```"
        + "<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    ) { OutputTurn(thinking: "Hm.", calls: [weather(), route()]) },
    OutputSample(
      name: "inside thinking", styles: ["think", "kimi-k2"],
      text: "<think>Hm. <|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
        + "<|tool_call_argument_begin|>\(json(hard))<|tool_call_end|><|tool_call_begin|>"
        + "functions.find_route:1<|tool_call_argument_begin|> \(routeArguments) <|tool_call_end|>"
        + "<|tool_calls_section_end|>"
    ) {
      OutputTurn(
        thinking: "Hm.",
        calls: [
          weather(hard, id: "functions.get_weather:0"), route(id: "functions.find_route:1"),
        ])
    },
    OutputSample(
      name: "messages", styles: ["solar"],
      text: "<|think|>Hm.<|end|><|begin|>assistant<|tool_calls|><|tool_call:begin|>a1"
        + "<|tool_call:name|>get_weather<|tool_call:args|>\(json(hard))<|tool_call:end|>"
        + "<|tool_call:begin|>b2<|tool_call:name|>find_route<|tool_call:args|>\(routeArguments)"
        + "<|tool_call:end|><|calls|>"
    ) { OutputTurn(thinking: "Hm.", calls: [weather(hard, id: "a1"), route(id: "b2")]) },
  ]

  static let whole: [OutputSample] = [
    OutputSample(
      name: "channels", styles: ["harmony"],
      text: "<|channel|>analysis<|message|>Hm. <|en <|end|><|start|>assistant<|channel|>"
        + "commentary<|message|>I look.\n<|end|><|start|>assistant<|channel|>commentary "
        + "to=functions.get_weather <|constrain|>json<|message|>\(json(hard))<|call|>"
        + "<|start|>assistant to=functions.find_route<|channel|>commentary json<|message|>"
        + "\(routeArguments)<|call|>"
    ) { OutputTurn(thinking: "Hm. <|en ", content: "I look.\n", calls: [weather(hard), route()]) },
    OutputSample(
      name: "final", styles: ["harmony"],
      text: "<|channel|>analysis<|message|>é<|end|><|start|>assistant<|channel|>final<|message|> A."
    ) { OutputTurn(thinking: "é", content: " A.") },
    OutputSample(
      name: "recipient first, ended by a token without text", styles: ["harmony"],
      text: " to=functions.now<|channel|>commentary json<|message|>{}"
    ) { OutputTurn(calls: [OutputTurn.Call(name: "now", arguments: "{}")]) },
    OutputSample(name: "no channel", styles: ["harmony"], text: "Tom <|channel|") {
      OutputTurn(content: "Tom <|channel|")
    },
    OutputSample(
      name: "action", styles: ["cohere"],
      text: "Hm.<|END_THINKING|><|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": "
        + "\"get_weather\", \"parameters\": \(json(hard))},\n    {\"tool_call_id\": \"1\", "
        + "\"tool_name\": \"find_route\", \"parameters\": \(routeArguments)}\n]<|END_ACTION|>",
      startsInThinking: true
    ) { OutputTurn(thinking: "Hm.", calls: [weather(hard, id: "0"), route(id: "1")]) },
    OutputSample(
      name: "text", styles: ["cohere"],
      text: "Hm.<|END_THINKING|><|START_TEXT|>A <|END <b>.<|END_TEXT|>", startsInThinking: true
    ) { OutputTurn(thinking: "Hm.", content: "A <|END <b>.") },
    OutputSample(
      name: "thought and calls", styles: ["gemma"],
      text: "<|channel>thought\nHm.\n<channel|><|tool_call>call:get_weather{place:<|\"|>a}, "
        + "<tool_call|> \"é\\<|\"|>}<tool_call|><|tool_call>call:find_route{stops:[<|\"|>Oslo"
        + "<|\"|>,<|\"|>Bergen<|\"|>],avoid:{tolls:true},limit:1}<tool_call|><|tool_call>"
        + "call:now{}<tool_call|>"
    ) {
      OutputTurn(
        thinking: "Hm.",
        calls: [
          weather(#"a}, <tool_call|> \"é\\"#), route(),
          OutputTurn.Call(name: "now", arguments: "{}"),
        ])
    },
  ]

  static let tagged: [OutputSample] = [
    OutputSample(
      name: "two calls", styles: ["think", "qwen-coder"],
      text: "Hm.\n</think>\n\nI look.\n\n<tool_call>\n<function=get_weather>\n<parameter=place>\n"
        + "Os\n\"lo\" </par\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n"
        + "<function=find_route>\n<parameter=stops>\n[\"Oslo\", \"Bergen\"]\n</parameter>\n"
        + "<parameter=avoid>\n{\"tolls\": true}\n</parameter>\n<parameter=limit>\n1\n</parameter>"
        + "\n</function>\n</tool_call>",
      startsInThinking: true
    ) {
      OutputTurn(
        thinking: "Hm.", content: "I look.", calls: [weather(#"Os\n\"lo\" </par"#), route()])
    },
    OutputSample(
      name: "without the outer tag", styles: ["qwen-coder"],
      text: "<function=now>\n</function>\n<function=get_weather><parameter=place>1</parameter>"
        + "</function>"
    ) {
      OutputTurn(calls: [OutputTurn.Call(name: "now", arguments: "{}"), weather("1")])
    },
    OutputSample(
      name: "two calls", styles: ["think", "glm"],
      text: "\n<think>Hm.</think>\n<tool_call>get_weather\n<arg_key>place</arg_key>\n<arg_value>"
        + "</tool_call> é</arg_value>\n</tool_call>\n<tool_call>find_route<arg_key>stops</arg_key>"
        + "<arg_value>[\"Oslo\", \"Bergen\"]</arg_value><arg_key>avoid</arg_key>\n<arg_value>"
        + "{\"tolls\": true}</arg_value>\n<arg_key>limit</arg_key>\n<arg_value>1</arg_value>\n"
        + "</tool_call><tool_call>now\n</tool_call>"
    ) {
      OutputTurn(
        thinking: "Hm.",
        calls: [
          weather("</tool_call> é"), route(), OutputTurn.Call(name: "now", arguments: "{}"),
        ])
    },
    OutputSample(
      name: "V4", styles: ["think", "dsml"],
      text: "</think>\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"get_weather\">\n<｜DSML｜parameter "
        + "name=\"place\" string=\"true\">12 </｜DS</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
        + "<｜DSML｜invoke name=\"find_route\">\n<｜DSML｜parameter name=\"stops\" string=\"false\">"
        + "[\"Oslo\", \"Bergen\"]</｜DSML｜parameter>\n<｜DSML｜parameter name=\"avoid\" "
        + "string=\"false\">{\"tolls\": true}</｜DSML｜parameter>\n<｜DSML｜parameter "
        + "name=\"limit\" string=\"false\">1</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
        + "</｜DSML｜tool_calls>"
    ) { OutputTurn(calls: [weather("12 </｜DS"), route()]) },
    OutputSample(
      name: "V3.2", styles: ["think", "dsml"],
      text: "Hm.</think>A.\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"now\">\n"
        + "</｜DSML｜invoke>\n</｜DSML｜function_calls>", startsInThinking: true
    ) {
      OutputTurn(
        thinking: "Hm.", content: "A.", calls: [OutputTurn.Call(name: "now", arguments: "{}")])
    },
    OutputSample(
      name: "two calls", styles: ["think", "minimax-m2"],
      text: "Hm.\n</think>\n\n\n<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter "
        + "name=\"place\">a</b></parameter>\n</invoke>\n<invoke name=\"find_route\">\n<parameter "
        + "name=\"stops\">[\"Oslo\", \"Bergen\"]</parameter>\n<parameter name=\"avoid\">"
        + "{\"tolls\": true}</parameter>\n<parameter name=\"limit\">1</parameter>\n</invoke>\n"
        + "</minimax:tool_call>", startsInThinking: true
    ) { OutputTurn(thinking: "Hm.", calls: [weather("a</b>"), route()]) },
    OutputSample(
      name: "nested", styles: ["minimax-m3"],
      text: "<mm:think>Hm.</mm:think>A.]<]minimax[>[<tool_call>\n]<]minimax[>[<invoke "
        + "name=\"get_weather\">]<]minimax[>[<place>a]<]<b>]<]minimax[>[</place>]<]minimax[>["
        + "</invoke>\n]<]minimax[>[<invoke name=\"find_route\">]<]minimax[>[<stops>]<]minimax[>["
        + "<item>Oslo]<]minimax[>[</item>]<]minimax[>[<item>Bergen]<]minimax[>[</item>]<]minimax[>["
        + "</stops>]<]minimax[>[<avoid>]<]minimax[>[<tolls>true]<]minimax[>[</tolls>]<]minimax[>["
        + "</avoid>]<]minimax[>[<limit>1]<]minimax[>[</limit>]<]minimax[>[</invoke>\n]<]minimax[>["
        + "</tool_call>"
    ) { OutputTurn(thinking: "Hm.", content: "A.", calls: [weather("a]<]<b>"), route()]) },
    OutputSample(
      name: "tags", styles: ["kimi-k3"],
      text: "Hm.<|close|>think<|sep|><|open|>response<|sep|>A.<|close|>response<|sep|><|open|>tools"
        + "<|sep|><|open|>call tool=\"get_weather\" index=\"1\"<|sep|><|open|>argument "
        + "key=\"place\" type=\"string\"<|sep|>12<|close|>argument<|sep|><|close|>call<|sep|>"
        + "<|open|>call tool=\"find_route\" index=\"2\"<|sep|><|open|>json type=\"object\"<|sep|>"
        + "\(routeArguments)<|close|>json<|sep|><|close|>call<|sep|><|close|>tools<|sep|>"
        + "<|close|>message<|sep|>", startsInThinking: true
    ) { OutputTurn(thinking: "Hm.", content: "A.", calls: [weather("12"), route()]) },
  ]
}
