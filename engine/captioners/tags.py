"""What the tags of entities tell a measurer: people, scenery, parts, what supports, what is held, which place it is."""

from pancap.engine.scenes.vocabulary import ANIMALS, PARTS, PEOPLE, SMALL_OBJECTS, STUFF


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
FLYING_TAGS = _words("bird airplane kite balloon cloud sun moon") | {"hot air balloon"}
FLOATING_TAGS = _words("duck goose swan")
HANGING_TAGS = _words("picture clock window")
BACKDROP_TAGS = _words("mountain hill")
PAVED_TAGS = _words("sidewalk road pavement street")
THIN_TAGS = _words("bicycle motorcycle") | {"palm tree"}
WATER_TAGS = _words("sea lake water river ocean")
# What rests on what: the nouns of the first set rest on those of the second.
SUPPORT_TAGS = _words("table desk counter stove cabinet bookshelf bed sofa shelf couch chair") | {"dining table"}
SEAT_TAGS = _words("bench chair sofa couch bed")
PERCH_TAGS = SEAT_TAGS | _words("fence cabinet table rug")
PERCHING_TAGS = _words("cat bird dog")
RIDDEN_TAGS = _words("bicycle horse motorcycle")
HELD_TAGS = _words("umbrella balloon suitcase book bottle cup")
TABLE_OBJECT_TAGS = frozenset(SMALL_OBJECTS) | _words("lamp") | {"potted plant"}
