"""What the tags of entities tell a measurer: people, scenery, parts, what supports, what is held, which place it is."""

from pancap.engine.scenes.vocabulary import ANIMALS, PARTS, PEOPLE, STUFF


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PERSON_TAGS = frozenset(PEOPLE) | _words("person people child")
ANIMAL_TAGS = frozenset(ANIMALS)
SKY_TAGS = frozenset({"sky", "sky-other", "sky-other-merged"})
GROUND_TAGS = _words("grass field road sidewalk path sand sea lake snow floor ground railroad")
STUFF_TAGS = frozenset(STUFF) | _words("water ground floor ceiling pavement river ocean")
OUTDOOR_TAGS = SKY_TAGS | _words(
    "grass field road sidewalk path sand sea lake snow mountain hill railroad tree bush car bus truck house building "
    "barn boat sailboat airplane train cow horse sheep cloud sun moon river pavement fence"
)
INDOOR_TAGS = _words(
    "wall floor table desk chair sofa bed lamp bookshelf cabinet refrigerator stove television picture clock rug cup "
    "bottle vase book laptop bowl plate candle ceiling counter couch tv keyboard sink toilet oven microwave"
)
LAMP_TAGS = frozenset({"lamp", "street lamp", "candle"})
WORN_TAGS = _words("shirt hat cap jacket")
PART_TAGS = frozenset(PARTS) | _words("handle leg head tail wing")
SUPPORT_TAGS = _words("table desk counter stove cabinet bookshelf bed sofa shelf couch") | {"dining table"}
SEAT_TAGS = _words("bench chair sofa couch bed rug")
RIDDEN_TAGS = _words("bicycle horse motorcycle")
HELD_TAGS = _words("umbrella balloon kite suitcase ball book bottle cup") | {"teddy bear"}
