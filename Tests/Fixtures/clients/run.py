#!/usr/bin/env python3
"""Talks with a running server through the clients that people use, unchanged.

    run.py http://127.0.0.1:8080 [KEY]

The clients come from pip, into an environment of their own in the folder for temporary files. Where they
can't be had, the script says so and ends with status 77.
"""

import json
import os
import subprocess
import sys
import tempfile
import typing
import venv

PACKAGES = ["openai", "anthropic", "litellm", "langchain-openai", "llm"]
ENVIRONMENT = os.path.join(tempfile.gettempdir(), "moe-run-clients")
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def enter_environment():
    """Goes on in the environment that has the clients; makes it where it is not there."""
    python = os.path.join(ENVIRONMENT, "bin", "python")
    if os.path.realpath(sys.prefix) == os.path.realpath(ENVIRONMENT):
        return
    if not os.path.exists(os.path.join(ENVIRONMENT, "complete")):
        try:
            venv.create(ENVIRONMENT, with_pip=True, clear=True)
            subprocess.run(
                [python, "-m", "pip", "--quiet", "install", *PACKAGES], check=True, timeout=600)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"skipped: the clients can't be installed from pip: {error}")
            sys.exit(77)
        open(os.path.join(ENVIRONMENT, "complete"), "w").close()
    os.execv(python, [python, *sys.argv])


QUESTION = [{"role": "user", "content": "Tell me a story"}]
TOOLS = [{
    "type": "function",
    "function": {
        "name": "get_weather", "description": "Tells the weather.",
        "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}]


class Settings:
    url = ""
    key = ""
    model = ""


def openai_client():
    import openai
    return openai.OpenAI(base_url=Settings.url + "/v1", api_key=Settings.key, max_retries=0)


def anthropic_client():
    import anthropic
    return anthropic.Anthropic(base_url=Settings.url, api_key=Settings.key, max_retries=0)


@check
def openai_models():
    models = openai_client().models.list().data
    assert len(models) == 1
    Settings.model = models[0].id
    assert openai_client().models.retrieve(Settings.model).id == Settings.model


@check
def openai_chat():
    answer = openai_client().chat.completions.create(
        model="any", messages=QUESTION, max_tokens=12, seed=1)
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@check
def openai_chat_stream():
    client = openai_client()
    whole = client.chat.completions.create(
        model="any", messages=QUESTION, max_tokens=12, seed=1).choices[0].message.content
    text, usage = "", None
    for chunk in client.chat.completions.create(
            model="any", messages=QUESTION, max_tokens=12, seed=1, stream=True,
            stream_options={"include_usage": True}):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
        usage = chunk.usage or usage
    assert text == whole
    assert usage.completion_tokens > 0


@check
def openai_chat_stream_helper():
    with openai_client().chat.completions.stream(
            model="any", messages=QUESTION, max_tokens=200, stop=["."]) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()
    assert "content.delta" in kinds
    assert answer.choices[0].message.content


@check
def openai_chat_logprobs():
    answer = openai_client().chat.completions.create(
        model="any", messages=QUESTION, max_tokens=6, logprobs=True, top_logprobs=2)
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == answer.choices[0].message.content
    assert all(len(token.top_logprobs) == 2 for token in tokens)


@check
def openai_chat_tools():
    client = openai_client()
    for choice in ("none", "auto"):
        answer = client.chat.completions.create(
            model="any", messages=QUESTION, max_tokens=12, tools=TOOLS, tool_choice=choice)
        assert answer.choices[0].message.content or answer.choices[0].message.tool_calls
    # A conversation in which a tool was called.
    answer = client.chat.completions.create(
        model="any", max_tokens=12, tools=TOOLS, tool_choice="none", messages=QUESTION + [
            {"role": "assistant", "content": None, "tool_calls": [{
                "id": "call_1", "type": "function",
                "function": {"name": "get_weather", "arguments": "{\"city\": \"Rome\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Sun."},
        ])
    assert answer.choices[0].finish_reason in ("length", "stop")


@check
def contract_39_openai_parse():
    import pydantic

    class Animal(pydantic.BaseModel):
        kind: typing.Literal["dog", "cat"]
        legs: int = pydantic.Field(ge=2, le=4)

    answer = openai_client().chat.completions.parse(
        model="any", messages=QUESTION, max_tokens=60, response_format=Animal)
    animal = answer.choices[0].message.parsed
    assert animal.kind in ("dog", "cat") and 2 <= animal.legs <= 4


@check
def contract_36_json_object():
    answer = openai_client().chat.completions.create(
        model="any", messages=QUESTION, max_tokens=60, seed=1,
        response_format={"type": "json_object"})
    choice = answer.choices[0]
    if choice.finish_reason == "stop":
        assert isinstance(json.loads(choice.message.content), dict)
    else:
        assert choice.message.content.lstrip().startswith("{")


@check
def openai_completions():
    answer = openai_client().completions.create(
        model="any", prompt="Once upon a", max_tokens=6, logprobs=2, temperature=0)
    assert "".join(answer.choices[0].logprobs.tokens) == answer.choices[0].text


@check
def openai_responses():
    client = openai_client()
    answer = client.responses.create(model="any", input="Tell me a story", max_output_tokens=12)
    assert answer.output_text
    assert answer.usage.output_tokens > 0
    text, last = "", None
    for event in client.responses.create(
            model="any", input="Tell me a story", max_output_tokens=12, stream=True):
        if event.type == "response.output_text.delta":
            text += event.delta
        last = event
    assert last.type in ("response.completed", "response.incomplete")
    assert last.response.output_text == text
    with client.responses.stream(
            model="any", input="Tell me a story", max_output_tokens=12) as stream:
        assert any(event.type == "response.output_text.delta" for event in stream)


@check
def openai_responses_tools():
    answer = openai_client().responses.create(
        model="any", max_output_tokens=12, tool_choice="none",
        tools=[{
            "type": "function", "name": "get_weather", "parameters": {"type": "object"},
            "strict": False}],
        input=[
            {"role": "user", "content": "How is Rome?"},
            {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "Sun."},
        ])
    assert answer.output_text


@check
def openai_errors():
    import openai
    client = openai_client()
    for request, kind in [
            ({"messages": []}, openai.BadRequestError),
            ({"messages": QUESTION, "n": 99}, openai.BadRequestError)]:
        try:
            client.chat.completions.create(model="any", **request)
        except kind as error:
            assert error.body["message"] and error.param
        else:
            raise AssertionError("no error")
    try:
        client.models.retrieve("none-such")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found"


@check
def anthropic_messages():
    client = anthropic_client()
    answer = client.messages.create(model="any", max_tokens=12, messages=QUESTION)
    assert answer.content[0].text
    assert answer.stop_reason in ("max_tokens", "end_turn")
    with client.messages.stream(
            model="any", max_tokens=12, messages=QUESTION, system="Be kind.") as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert message.content[0].text == text
    assert message.usage.output_tokens > 0


@check
def anthropic_tools():
    client = anthropic_client()
    tools = [{"name": "get_weather", "description": "Tells.", "input_schema": {"type": "object"}}]
    answer = client.messages.create(
        model="any", max_tokens=12, tools=tools, tool_choice={"type": "none"}, messages=QUESTION + [
            {"role": "assistant", "content": [
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Rome"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "Sun."}]},
        ])
    assert answer.content[0].text


@check
def anthropic_count_tokens():
    count = anthropic_client().messages.count_tokens(model="any", messages=QUESTION)
    assert count.input_tokens > 3


@check
def anthropic_errors():
    import anthropic
    try:
        anthropic_client().messages.create(model="any", max_tokens=4, messages=[])
    except anthropic.BadRequestError as error:
        assert error.body["error"]["message"]
    else:
        raise AssertionError("no error")


@check
def litellm_chat():
    import litellm
    common = dict(
        model="openai/any", api_base=Settings.url + "/v1", api_key=Settings.key, messages=QUESTION,
        max_tokens=12)
    assert litellm.completion(**common).choices[0].message.content
    text = "".join(
        chunk.choices[0].delta.content or "" for chunk in litellm.completion(stream=True, **common))
    assert text
    answer = litellm.completion(
        model="anthropic/any", api_base=Settings.url, api_key=Settings.key, messages=QUESTION,
        max_tokens=12)
    assert answer.choices[0].message.content


@check
def langchain_chat():
    from langchain_openai import ChatOpenAI
    chat = ChatOpenAI(
        model="any", base_url=Settings.url + "/v1", api_key=Settings.key, max_tokens=12,
        max_retries=0)
    assert chat.invoke("Tell me a story").content
    assert "".join(str(chunk.content) for chunk in chat.stream("Tell me a story"))
    bound = chat.bind_tools(TOOLS, tool_choice="none")
    assert bound.invoke("Tell me a story").content is not None
    responses = ChatOpenAI(
        model="any", base_url=Settings.url + "/v1", api_key=Settings.key, max_tokens=12,
        max_retries=0, use_responses_api=True)
    assert responses.invoke("Tell me a story").content


@check
def llm_prompt():
    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, "extra-openai-models.yaml"), "w") as file:
        file.write(
            f"- model_id: served\n  model_name: any\n  api_base: {Settings.url}/v1\n"
            f"  api_key_name: served\n")
    environment = dict(os.environ, LLM_USER_PATH=folder, OPENAI_API_KEY=Settings.key)
    program = os.path.join(ENVIRONMENT, "bin", "llm")
    for arguments in ([], ["--no-stream"]):
        output = subprocess.run(
            [program, "-m", "served", "--key", Settings.key, "-o", "max_tokens", "12", *arguments,
             "Tell me a story"],
            env=environment, capture_output=True, text=True, timeout=60)
        assert output.returncode == 0 and output.stdout.strip(), output.stderr


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    enter_environment()
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    Settings.url = sys.argv[1].rstrip("/")
    Settings.key = sys.argv[2] if len(sys.argv) > 2 else "none"
    failures = 0
    for function in CHECKS:
        try:
            function()
            print(f"ok      {function.__name__}")
        except Exception as error:  # Whatever a client throws is a finding.
            failures += 1
            print(f"FAILED  {function.__name__}: {type(error).__name__}: {json.dumps(str(error))}")
    print(f"{len(CHECKS) - failures} of {len(CHECKS)} passed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
