"""One `Generator` protocol for prompts in, text out: vLLM here or on a Ray cluster, or any OpenAI-compatible endpoint.

Nothing heavy is imported here; `pancap.llm.loading.load_generator` imports what a configuration asks for.
"""
