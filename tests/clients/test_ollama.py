"""ollama-python against Drover."""

import asyncio

import ollama

from world import IMAGE, MODELS, WEATHER, ClientTest, cut_is_an_error, leave_waiting, leaving_frees_the_slot, same

OPTIONS = {"temperature": 0, "seed": 7, "num_predict": 24}
PROMPT = "Why is the sky blue?"
MESSAGES = [{"role": "user", "content": PROMPT}]
TOOLS = [{"type": "function", "function": WEATHER}]


def chat(url, **more):
    return ollama.Client(host=url).chat(**{"model": MODELS["chat"], "messages": MESSAGES, "options": OPTIONS, **more})


def generate(url, **more):
    return ollama.Client(host=url).generate(**{"model": MODELS["chat"], "prompt": PROMPT, "options": OPTIONS, **more})


def embed(url, **more):
    return ollama.Client(host=url).embed(**{"model": MODELS["embedding"], **more})


def conversation(url):
    first = chat(url)
    return chat(url, messages=[*MESSAGES, first.message, {"role": "user", "content": "And at sunset?"}])


async def streamed_asynchronously(url):
    stream = await ollama.AsyncClient(host=url).chat(model=MODELS["chat"], messages=MESSAGES, options=OPTIONS, stream=True)
    return [chunk async for chunk in stream]


def leave_a_stream(url):
    stream = chat(url, options=OPTIONS | {"num_predict": 100_000}, stream=True)
    next(stream)
    return stream.close


def leave_an_answer(url):
    return leave_waiting(lambda: ollama.AsyncClient(host=url).chat(
        model=MODELS["chat"], messages=MESSAGES, options=OPTIONS | {"num_predict": 100_000}))


class OllamaPython(ClientTest):
    test_list = same(lambda url: ollama.Client(host=url).list())
    test_show = same(lambda url: ollama.Client(host=url).show(MODELS["chat"]))
    test_show_of_an_unknown_model = same(lambda url: ollama.Client(host=url).show("nobody"), fails=True)

    test_generate = same(generate)
    test_generate_streamed = same(lambda url: list(generate(url, stream=True)))
    test_generate_of_an_unknown_model = same(lambda url: generate(url, model="nobody"), fails=True)
    test_load_and_unload = same(lambda url: [generate(url, prompt=""), generate(url, prompt="", keep_alive=0)])

    test_chat = same(chat)
    test_chat_streamed = same(lambda url: list(chat(url, stream=True)))
    test_chat_streamed_asynchronously = same(lambda url: asyncio.run(streamed_asynchronously(url)))
    test_chat_in_a_conversation = same(conversation)
    test_chat_with_a_format = same(lambda url: chat(url, format={"type": "object", "properties": {"sky": {"type": "string"}}}))
    test_chat_of_an_unknown_model = same(lambda url: chat(url, model="nobody"), fails=True)
    test_chat_streamed_of_an_unknown_model = same(lambda url: list(chat(url, model="nobody", stream=True)), fails=True)
    test_chat_with_an_empty_model = same(lambda url: chat(url, model=""), fails=True)
    test_chat_with_an_option_of_a_wrong_type = same(lambda url: chat(url, options={"num_ctx": "many"}), fails=True)

    test_tools = same(lambda url: chat(url, model=MODELS["tools"], tools=TOOLS), needs="tools")
    test_tools_streamed = same(lambda url: list(chat(url, model=MODELS["tools"], tools=TOOLS, stream=True)), needs="tools")
    test_thinking = same(lambda url: chat(url, model=MODELS["thinking"], think=True), needs="thinking")
    test_thinking_streamed = same(lambda url: list(chat(url, model=MODELS["thinking"], think=True, stream=True)), needs="thinking")
    test_thinking_off = same(lambda url: chat(url, model=MODELS["thinking"], think=False), needs="thinking")
    test_thinking_of_a_model_without_it = same(lambda url: chat(url, think=True), fails=True)
    test_an_image = same(lambda url: chat(url, model=MODELS["vision"], messages=[
        {"role": "user", "content": "What is this?", "images": [IMAGE]}]), needs="vision")

    test_embed = same(lambda url: embed(url, input="sky"), needs="embedding")
    test_embed_several = same(lambda url: embed(url, input=["sky", "sea"]), needs="embedding")
    test_embed_with_an_unknown_model = same(lambda url: embed(url, model="nobody", input="sky"), fails=True, needs="embedding")

    test_leaving_a_stream_frees_the_slot = leaving_frees_the_slot(leave_a_stream)
    test_leaving_an_answer_frees_the_slot = leaving_frees_the_slot(leave_an_answer)
    test_a_cut_chat_is_an_error = cut_is_an_error(
        "/api/chat", lambda url: (chunk.message.content for chunk in chat(url, stream=True)))
    test_a_cut_generate_is_an_error = cut_is_an_error(
        "/api/generate", lambda url: (chunk.response for chunk in generate(url, stream=True)))
