"""`drover sim` held against the real v0.34.4: the same calls, and answers of the same shape.

Values differ, since the models do. Equal must be: status, content type, framing of streams and errors, names, order and types
of fields, which kinds of line a stream has and in what order, and the whole text of errors but for the model's name.
"""

import json
import tempfile
import unittest
from pathlib import Path

from fleet import CHAT, EMBEDDING, call
from nodes import Node, copy_store
from world import start_sim

VERSION = "0.34.4"
SHORT = {"num_predict": 4, "temperature": 0}
HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "f", "description": "", "parameters": {"type": "object", "properties": {}}}}

# Name, method, path, body: CHAT and EMBEDDING stand for what each side calls its models; a str is sent as it is.
CALLS = [
    ("root", "GET", "/", None),
    ("root_head", "HEAD", "/", None),
    ("version", "GET", "/api/version", None),
    ("version_head", "HEAD", "/api/version", None),
    ("unknown_path", "GET", "/api/nothing", None),
    ("wrong_method", "GET", "/api/chat", None),
    ("wrong_method_of_two", "POST", "/api/version", None),
    ("trailing_slash", "POST", "/api/chat/", {"model": "CHAT"}),

    ("load", "POST", "/api/generate", {"model": "CHAT"}),
    ("load_by_chat", "POST", "/api/chat", {"model": "CHAT", "messages": []}),
    ("ps", "GET", "/api/ps", None),
    ("show", "POST", "/api/show", {"model": "CHAT"}),
    ("show_by_name", "POST", "/api/show", {"name": "CHAT"}),
    ("show_of_an_embedding_model", "POST", "/api/show", {"model": "EMBEDDING"}),
    ("show_unknown", "POST", "/api/show", {"model": "nobody"}),
    ("show_without_a_model", "POST", "/api/show", {}),

    ("generate", "POST", "/api/generate", {"model": "CHAT", "prompt": "Hello", "options": SHORT}),
    ("generate_whole", "POST", "/api/generate", {"model": "CHAT", "prompt": "Hello", "options": SHORT, "stream": False}),
    ("generate_raw", "POST", "/api/generate", {"model": "CHAT", "prompt": "Hello", "options": SHORT, "raw": True}),
    ("generate_logprobs", "POST", "/api/generate",
     {"model": "CHAT", "prompt": "Hello", "options": SHORT, "stream": False, "logprobs": True, "top_logprobs": 2}),
    ("generate_empty_body", "POST", "/api/generate", ""),
    ("generate_bad_json", "POST", "/api/generate", '{"model": }'),
    ("generate_half_json", "POST", "/api/generate", '{"model": "CHAT", "prompt'),
    ("generate_not_an_object", "POST", "/api/generate", '"CHAT"'),
    ("generate_without_a_model", "POST", "/api/generate", {"prompt": "Hello"}),
    ("generate_unknown", "POST", "/api/generate", {"model": "nobody", "prompt": "Hello"}),
    ("generate_bad_name", "POST", "/api/generate", {"model": "a b/c", "prompt": "Hello"}),
    ("generate_stream_of_wrong_type", "POST", "/api/generate", {"model": "CHAT", "prompt": "Hello", "stream": "yes"}),
    ("generate_option_of_wrong_type", "POST", "/api/generate", {"model": "CHAT", "prompt": "Hello", "options": {"num_ctx": "2"}}),
    ("generate_typical_p", "POST", "/api/generate", {"model": "CHAT", "prompt": "Hello", "options": {"typical_p": 1}}),
    ("generate_bad_format", "POST", "/api/generate", {"model": "CHAT", "prompt": "Hello", "format": "xml"}),
    ("generate_bad_keep_alive", "POST", "/api/generate", {"model": "CHAT", "prompt": "Hello", "keep_alive": "5"}),
    ("generate_thinking", "POST", "/api/generate", {"model": "EMBEDDING", "prompt": "Hello", "think": True}),
    ("generate_of_an_embedding_model", "POST", "/api/generate", {"model": "EMBEDDING", "prompt": "Hello"}),
    ("generate_bad_top_logprobs", "POST", "/api/generate", {"model": "CHAT", "prompt": "Hello", "top_logprobs": 21}),

    ("chat", "POST", "/api/chat", {"model": "CHAT", "messages": HELLO, "options": SHORT}),
    ("chat_whole", "POST", "/api/chat", {"model": "CHAT", "messages": HELLO, "options": SHORT, "stream": False}),
    ("chat_unknown", "POST", "/api/chat", {"model": "nobody", "messages": HELLO}),
    ("chat_without_a_model", "POST", "/api/chat", {"messages": HELLO}),
    ("chat_messages_of_wrong_type", "POST", "/api/chat", {"model": "CHAT", "messages": "Hello"}),
    ("chat_of_an_embedding_model", "POST", "/api/chat", {"model": "EMBEDDING", "messages": HELLO}),
    ("chat_tools_of_a_model_without", "POST", "/api/chat", {"model": "EMBEDDING", "messages": HELLO, "tools": [TOOL]}),
    ("chat_bad_image", "POST", "/api/chat", {"model": "CHAT", "messages": [{**HELLO[0], "images": ["%%%"]}]}),

    ("embed", "POST", "/api/embed", {"model": "EMBEDDING", "input": "Hello"}),
    ("embed_several", "POST", "/api/embed", {"model": "EMBEDDING", "input": ["Hello", "world"]}),
    ("embed_nothing", "POST", "/api/embed", {"model": "EMBEDDING"}),
    ("embed_a_number", "POST", "/api/embed", {"model": "EMBEDDING", "input": 1}),
    ("embed_unknown", "POST", "/api/embed", {"model": "nobody", "input": "Hello"}),
    ("embed_with_a_chat_model", "POST", "/api/embed", {"model": "CHAT", "input": "Hello"}),
    ("embeddings", "POST", "/api/embeddings", {"model": "EMBEDDING", "prompt": "Hello"}),
    ("embeddings_unknown", "POST", "/api/embeddings", {"model": "nobody", "prompt": "Hello"}),

    ("v1_models", "GET", "/v1/models", None),
    ("v1_model", "GET", "/v1/models/CHAT", None),
    ("v1_model_unknown", "GET", "/v1/models/nobody", None),
    ("v1_chat", "POST", "/v1/chat/completions", {"model": "CHAT", "messages": HELLO, "max_tokens": 4}),
    ("v1_chat_stream", "POST", "/v1/chat/completions", {"model": "CHAT", "messages": HELLO, "max_tokens": 4, "stream": True}),
    ("v1_chat_stream_usage", "POST", "/v1/chat/completions",
     {"model": "CHAT", "messages": HELLO, "max_tokens": 4, "stream": True, "stream_options": {"include_usage": True}}),
    ("v1_chat_unknown", "POST", "/v1/chat/completions", {"model": "nobody", "messages": HELLO}),
    ("v1_chat_nothing", "POST", "/v1/chat/completions", {}),
    ("v1_chat_empty_body", "POST", "/v1/chat/completions", ""),
    ("v1_chat_of_wrong_type", "POST", "/v1/chat/completions", {"model": "CHAT", "messages": "Hello"}),
    ("v1_chat_image_by_address", "POST", "/v1/chat/completions", {"model": "CHAT", "messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]}),
    ("v1_completion", "POST", "/v1/completions", {"model": "CHAT", "prompt": "Hello", "max_tokens": 4}),
    ("v1_completion_stream", "POST", "/v1/completions", {"model": "CHAT", "prompt": "Hello", "max_tokens": 4, "stream": True}),
    ("v1_completion_stream_usage", "POST", "/v1/completions",
     {"model": "CHAT", "prompt": "Hello", "max_tokens": 4, "stream": True, "stream_options": {"include_usage": True}}),
    ("v1_completion_unknown", "POST", "/v1/completions", {"model": "nobody", "prompt": "Hello"}),
    ("v1_embeddings", "POST", "/v1/embeddings", {"model": "EMBEDDING", "input": ["Hello", "world"]}),
    ("v1_embeddings_base64", "POST", "/v1/embeddings", {"model": "EMBEDDING", "input": "Hello", "encoding_format": "base64"}),
    ("v1_embeddings_nothing", "POST", "/v1/embeddings", {"model": "EMBEDDING"}),
    ("v1_embeddings_of_tokens", "POST", "/v1/embeddings", {"model": "EMBEDDING", "input": [1, 2]}),

    ("tags", "GET", "/api/tags", None),
    ("tags_head", "HEAD", "/api/tags", None),
    ("unload", "POST", "/api/generate", {"model": "CHAT", "keep_alive": 0}),
    ("unload_by_chat", "POST", "/api/chat", {"model": "CHAT", "messages": [], "keep_alive": 0}),
]

# What a model has or has not, whichever server holds it.
OF_THE_MODEL = {"license", "system", "parameters", "messages", "projector_info", "requires", "thinking", "tensors", "families"}
OPAQUE = {"model_info", "context"}


class Sim(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="drover-real-")))
        cls.real = cls.enterClassContext(Node(VERSION, folder / "home", copy_store(VERSION, folder / "store")))
        cls.sim = start_sim()
        cls.addClassCleanup(cls.sim.stop)


def of_call(method, path, body):
    def test(self):
        real = answer(self.real.url, {"CHAT": CHAT, "EMBEDDING": EMBEDDING}, method, path, body)
        sim = answer(self.sim.url, {"CHAT": "llama3.2:3b", "EMBEDDING": "nomic-embed-text:latest"}, method, path, body)
        self.assertEqual(sim, real)
    return test


# In the order of the table, since some calls ask what an earlier one did.
for number, (name, *asked) in enumerate(CALLS):
    setattr(Sim, f"test_{number:02}_{name}", of_call(*asked))


def answer(url, models, method, path, body):
    """What of one call must be equal on both sides."""
    body = body if body is None or isinstance(body, str) else json.dumps(body)
    for word, model in models.items():
        path = path.replace(word, model)
        body = body and body.replace(f'"{word}"', json.dumps(model))
    got = call(url, method, path, body)
    text = got.body.decode()
    for word, model in models.items():
        text = text.replace(model, word)
    seen = {"status": got.status, "type": got.type, "allow": got.headers.get("Allow"),
            "location": got.headers.get("Location"), "ends with newline": text.endswith("\n")}
    kind = got.type or ""
    if got.status >= 400 or "json" not in kind and "event-stream" not in kind:
        return {**seen, "chunked": got.headers.get("Transfer-Encoding"), "text": text}
    if "ndjson" in kind or "event-stream" in kind:
        lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
        shapes = [line if line == "[DONE]" else shape(json.loads(line)) for line in lines]
        return {**seen, "chunked": got.headers.get("Transfer-Encoding"),
                "lines": [shape for number, shape in enumerate(shapes) if number == 0 or shape != shapes[number - 1]]}
    return {**seen, "shape": shape(json.loads(text)) if text else None}


def shape(value, name=""):
    """The types in place of the values; fields in their order, and each kind of a list's elements once."""
    if name in OPAQUE:
        return "opaque"
    if isinstance(value, dict):
        return [(key, shape(part, key)) for key, part in value.items() if key not in OF_THE_MODEL]
    if isinstance(value, list):
        kinds = []
        for part in value:
            if shape(part) not in kinds:
                kinds.append(shape(part))
        return {"list of": kinds}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    # These words are part of what clients decide by.
    return value if name in {"done_reason", "finish_reason", "object", "role", "done"} else type(value).__name__
