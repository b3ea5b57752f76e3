"""The small word lists behind the captions: adjectives by kind, positions, and nouns with a grammar of their own."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COLOR_WORDS = _words(
    "red orange yellow green blue purple violet pink brown black white gray grey beige cyan teal turquoise gold golden "
    "silver maroon navy olive cream tan"
)
SHADE_WORDS = _words("light dark bright pale deep")
SIZE_WORDS = _words("large small big tiny huge tall short long wide narrow medium-sized thin thick little high low")
PATTERN_WORDS = _words("striped spotted dotted checkered plaid checked patterned floral plain")
MATERIAL_WORDS = _words("wooden metallic metal stone brick concrete plastic leather glass woolen sandy")
TEXTURE_WORDS = _words(
    "round square rectangular oval curved rough smooth shiny furry fluffy leafy bare rusty old new clear cloudy "
    "snowy wet dry young bald"
)

# Regions that captions name with "the" from the first mention on: there is one of each, or they cannot be counted.
DEFINITE_TAGS = _words(
    "sky grass water sea ocean sand snow ground road street pavement sidewalk floor wall ceiling field meadow beach "
    "lake river mountain mountains forest background grassland dirt lawn playground railway gravel mud ice"
)
SINGULAR_TAGS_IN_S = _words("bus grass glass gas lens canvas tennis dress cactus mattress compass harness")
IRREGULAR_PLURALS = _words("people men women children geese mice")
MASCULINE_TAGS = _words("man boy")
FEMININE_TAGS = _words("woman girl lady")
PERSON_TAGS = _words("person child people player rider worker baby")

POSITIONS = frozenset(
    {
        "to the left of", "to the right of", "left of", "right of", "behind", "in front of", "above", "below", "under",
        "on top of", "on", "in", "inside", "next to", "near", "beside", "beneath", "over", "at", "against", "around",
    }
)  # fmt: skip
AUXILIARIES = _words("has was were can may will does appears seems had have are")
# Words that end like a verb in the third person and are none.
NOT_VERBS = _words("across towards upwards downwards as plus always perhaps its this")
PROGRESSIVES = {
    "holds": "holding",
    "rides": "riding",
    "carries": "carrying",
    "wears": "wearing",
    "walks": "walking",
    "sits": "sitting",
    "stands": "standing",
    "lies": "lying",
    "drives": "driving",
    "pushes": "pushing",
    "pulls": "pulling",
    "eats": "eating",
    "reads": "reading",
    "flies": "flying",
    "looks": "looking",
}
