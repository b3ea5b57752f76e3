"""Published checkpoints in LLaVA 1.x layout as checkpoints that this chain, transformers and vLLM read."""
