"""openai-python against Drover."""

import openai

from world import IMAGE, MODELS, WEATHER, ClientTest, cut_is_an_error, leave_waiting, leaving_frees_the_slot, same

MESSAGES = [{"role": "user", "content": "Why is the sky blue?"}]
SAMPLING = {"temperature": 0, "seed": 7, "max_tokens": 24}
TOOLS = [{"type": "function", "function": WEATHER}]


def client(url, kind=openai.OpenAI):
    """Without retries of its own: they would hide what the gateway answers."""
    return kind(base_url=f"{url}/v1", api_key="any", max_retries=0)


def chat(url, **more):
    return client(url).chat.completions.create(**{"model": MODELS["chat"], "messages": MESSAGES, **SAMPLING, **more})


def streamed(url, **more):
    return list(chat(url, **{"stream": True, "stream_options": {"include_usage": True}, **more}))


def complete(url, **more):
    return client(url).completions.create(**{"model": MODELS["chat"], "prompt": "The sky", **SAMPLING, **more})


def embed(url, **more):
    return client(url).embeddings.create(**{"model": MODELS["embedding"], "input": ["sky", "sea"], **more})


def conversation(url):
    first = chat(url).choices[0].message.content
    return chat(url, messages=[*MESSAGES, {"role": "assistant", "content": first}, {"role": "user", "content": "And at sunset?"}])


def leave_a_stream(url):
    stream = chat(url, max_tokens=100_000, stream=True)
    next(iter(stream))
    return stream.close


def leave_an_answer(url):
    return leave_waiting(lambda: client(url, openai.AsyncOpenAI).chat.completions.create(
        model=MODELS["chat"], messages=MESSAGES, max_tokens=100_000))


class OpenAIPython(ClientTest):
    test_models = same(lambda url: list(client(url).models.list()))
    test_one_model = same(lambda url: client(url).models.retrieve(MODELS["chat"]))
    test_an_unknown_model = same(lambda url: client(url).models.retrieve("nobody"), fails=True)

    test_chat = same(chat)
    test_chat_streamed = same(streamed)
    test_chat_in_a_conversation = same(conversation)
    test_chat_of_an_unknown_model = same(lambda url: chat(url, model="nobody"), fails=True)
    test_chat_streamed_of_an_unknown_model = same(lambda url: streamed(url, model="nobody"), fails=True)
    test_chat_without_messages = same(lambda url: chat(url, messages=[]), fails=True)
    test_chat_with_a_seed_of_a_wrong_type = same(lambda url: chat(url, seed="many"), fails=True)

    test_completion = same(complete)
    test_completion_streamed = same(lambda url: list(complete(url, stream=True)))
    test_completion_of_an_unknown_model = same(lambda url: complete(url, model="nobody"), fails=True)

    test_tools = same(lambda url: chat(url, model=MODELS["tools"], tools=TOOLS), needs="tools")
    test_tools_streamed = same(lambda url: streamed(url, model=MODELS["tools"], tools=TOOLS), needs="tools")
    test_thinking = same(lambda url: chat(url, model=MODELS["thinking"], reasoning_effort="high"), needs="thinking")
    test_thinking_streamed = same(lambda url: streamed(url, model=MODELS["thinking"], reasoning_effort="high"), needs="thinking")
    test_thinking_off = same(lambda url: chat(url, model=MODELS["thinking"], reasoning_effort="none"), needs="thinking")
    test_an_image = same(lambda url: chat(url, model=MODELS["vision"], messages=[{"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}]}]), needs="vision")

    test_embeddings = same(embed, needs="embedding")
    test_embeddings_as_floats = same(lambda url: embed(url, encoding_format="float"), needs="embedding")
    test_embeddings_of_an_unknown_model = same(lambda url: embed(url, model="nobody"), fails=True, needs="embedding")

    test_leaving_a_stream_frees_the_slot = leaving_frees_the_slot(leave_a_stream)
    test_leaving_an_answer_frees_the_slot = leaving_frees_the_slot(leave_an_answer)
    test_a_cut_chat_is_an_error = cut_is_an_error("/v1/chat/completions", lambda url: (
        chunk.choices[0].delta.content or "" for chunk in chat(url, stream=True)))
    test_a_cut_completion_is_an_error = cut_is_an_error("/v1/completions", lambda url: (
        chunk.choices[0].text for chunk in complete(url, stream=True)))
