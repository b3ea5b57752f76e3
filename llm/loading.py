"""From a configuration to a generator."""

from pancap.llm.base import RollingGenerator
from pancap.llm.config import GeneratorConfig


def load_generator(config: GeneratorConfig) -> RollingGenerator:
    """The generator that a configuration names; models are loaded when they are first asked.

    Raises:
        UsageError: the configuration cannot be meant, the key's variable is not set, or a package is missing.
    """
    config.check()
    if config.backend == "endpoint":
        from pancap.llm.endpoint import EndpointGenerator

        return EndpointGenerator(config.model, config.endpoint)
    if config.backend == "ray":
        from pancap.llm.ray_data import RayDataGenerator

        return RayDataGenerator(config.model, config.vllm)
    from pancap.llm.in_process import VllmGenerator

    return VllmGenerator(config.model, config.vllm)
