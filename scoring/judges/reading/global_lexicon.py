"""Words of global state: light, weather, time, setting, viewpoint, style and mood."""

from typing import Final

# Global state: word -> the value it stands for, by aspect of the image.
GLOBAL_VALUES: Final = {
    "time": {
        "daytime": "daytime", "daylight": "daytime", "midday": "daytime", "noon": "daytime", "afternoon": "daytime",
        "day": "daytime", "mid-day": "daytime", "morning": "daytime", "night": "night", "nighttime": "night",
        "night-time": "night", "midnight": "night", "nocturnal": "night", "evening": "evening", "dusk": "evening",
        "twilight": "evening", "sunset": "evening", "dawn": "dawn", "sunrise": "dawn",
    },
    "weather": {
        "sunny": "sunny", "sunshine": "sunny", "sunlit": "sunny", "overcast": "cloudy", "cloudy": "cloudy",
        "rainy": "rainy", "raining": "rainy", "rain": "rainy", "snowy": "snowy", "snowing": "snowy",
        "snowfall": "snowy", "foggy": "foggy", "fog": "foggy", "misty": "foggy", "mist": "foggy", "windy": "windy",
        "stormy": "stormy", "hazy": "hazy", "clear": "sunny", "fair": "sunny",
    },
    "setting": {
        "outdoors": "outdoors", "outdoor": "outdoors", "outside": "outdoors", "indoors": "indoors",
        "indoor": "indoors", "inside": "indoors", "interior": "indoors",
    },
    "lighting": {
        "bright": "bright", "brightly": "bright", "well-lit": "bright", "dim": "dim", "dimly": "dim", "low": "dim",
        "dark": "dim", "low-light": "dim", "poorly": "dim", "soft": "soft", "softly": "soft", "diffuse": "soft",
        "diffused": "soft", "gentle": "soft", "even": "even", "evenly": "even", "uniform": "even", "balanced": "even",
        "natural": "natural", "artificial": "artificial", "fluorescent": "artificial", "warm": "warm",
        "golden": "warm",
        "cool": "cool", "cold": "cool", "strong": "harsh", "harsh": "harsh", "direct": "harsh", "intense": "harsh",
        "moderate": "moderate", "moderately": "moderate", "ambient": "ambient", "overhead": "overhead",
        "backlit": "backlit", "dramatic": "dramatic", "clear": "clear", "dappled": "dappled",
    },
    "viewpoint": {
        "close-up": "close-up", "closeup": "close-up", "aerial": "from above", "above": "from above",
        "overhead": "from above", "top-down": "from above", "bird's-eye": "from above", "birds-eye": "from above",
        "high-angle": "from above", "high": "from above", "elevated": "from above", "low-angle": "from below",
        "low": "from below", "below": "from below", "upward": "from below", "eye-level": "at eye level",
        "eye": "at eye level", "wide": "wide", "wide-angle": "wide", "frontal": "frontal",
        "panoramic": "wide", "tilted": "tilted", "distant": "distant",
    },
    "style": {
        "realistic": "photographic", "photorealistic": "photographic", "photographic": "photographic",
        "cartoon": "cartoon", "illustration": "cartoon", "illustrated": "cartoon", "drawn": "cartoon",
        "painting": "painting", "painted": "painting", "watercolor": "painting", "monochrome": "black and white",
        "black-and-white": "black and white", "sepia": "sepia", "vintage": "vintage", "rendered": "rendered",
        "flat": "flat", "minimalist": "minimalist", "abstract": "abstract", "documentary": "documentary",
        "pixelated": "pixelated", "candid": "candid", "sketch": "sketch", "geometric": "geometric",
    },
}  # fmt: skip
# Moods that say the same; any other adjective beside "mood" stands for itself.
MOODS: Final = {
    word: group
    for group, words in {
        "calm": "calm peaceful serene tranquil quiet relaxed still relaxing soothing placid",
        "cheerful": "cheerful happy joyful festive lively playful upbeat celebratory merry fun whimsical",
        "neutral": "neutral objective informative documentary plain ordinary factual everyday observational",
        "gloomy": "gloomy somber sombre melancholic sad moody bleak desolate eerie mysterious dark lonely",
        "dynamic": "dynamic energetic active exciting busy vibrant bustling",
        "casual": "casual informal friendly leisurely easygoing laid-back social",
        "formal": "formal professional serious solemn clinical focused",
        "warm": "warm cozy cosy inviting homely pleasant welcoming",
        "dramatic": "dramatic tense intense",
    }.items()
    for word in words.split()
}
GLOBAL_CUES: Final = {
    "lighting": "lighting", "lit": "lighting", "illuminated": "lighting", "illumination": "lighting",
    "light": "lighting", "brightness": "lighting", "sunlight": "lighting", "daylight": "lighting",
    "well-lit": "lighting",
    "mood": "mood", "atmosphere": "mood", "ambiance": "mood", "ambience": "mood", "vibe": "mood", "feeling": "mood",
    "viewpoint": "viewpoint", "perspective": "viewpoint", "angle": "viewpoint", "shot": "viewpoint",
    "camera": "viewpoint", "vantage": "viewpoint", "close-up": "viewpoint",
    "closeup": "viewpoint", "viewed": "viewpoint",
    "style": "style", "rendered": "style", "illustration": "style", "aesthetic": "style",
}  # fmt: skip
GLOBAL_CLAUSES: Final = {
    "time": "the scene is in the {}", "weather": "the weather is {}", "setting": "the scene is {}",
    "lighting": "the lighting is {}", "viewpoint": "the viewpoint is {}", "style": "the style is {}",
    "mood": "the mood is {}",
}  # fmt: skip
