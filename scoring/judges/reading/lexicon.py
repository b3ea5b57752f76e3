"""The words the reader knows, by what they do in a sentence. Everything else counts as a noun."""

from typing import Final


def word_set(text: str) -> frozenset[str]:
    """The words of a space-separated list."""
    return frozenset(text.split())


def phrase_set(text: str) -> frozenset[str]:
    """The phrases of a list with commas."""
    return frozenset(text.split(", "))


DETERMINERS: Final = word_set(
    "a an the this that these those another each every some any both all no either neither its his her their our my"
    " your"
)
INDEFINITE: Final = word_set("a an another some several many few numerous various multiple")
POSSESSIVES: Final = word_set("its his her their")
NEW_MARKERS: Final = word_set("another other second third fourth fifth sixth")
ORDINALS: Final = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "1": 1,
    "2": 2,
    "3": 3,
    "4": 4,
    "5": 5,
    "6": 6,
    "7": 7,
    "8": 8,
    "9": 9,
}
NUMBERS: Final = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
QUANTIFIERS: Final = word_set(
    "several many few numerous various multiple other more most additional such main same different certain much"
    " entire whole single individual own overall"
)
PRONOUNS: Final = {
    "he": "person",
    "she": "person",
    "him": "person",
    "himself": "person",
    "herself": "person",
    "it": "thing",
    "itself": "thing",
    "we": "none",
    "you": "none",
    "i": "none",
    "they": "group",
    "them": "group",
    "themselves": "group",
}
RELATIVES: Final = word_set("which that who whose where")
CONJUNCTIONS: Final = word_set("and or but while as although though yet whereas plus")
BE: Final = word_set("is are was were be being been")
SEEM: Final = word_set("appears appear seems seem looks look remains remain appearing seeming")
HAVE: Final = word_set("has have had having")
MODALS: Final = word_set("can could may might must should would will")
NEGATIONS: Final = word_set("not never cannot n't without no")
DOUBTS: Final = word_set("possibly likely perhaps maybe presumably probably potentially")
ADVERBS: Final = word_set(
    "very slightly quite also too just still only then even partially mostly fully rather somewhat there here further"
    " together away apart almost more less most least far closely well all about so however finally specifically"
    " additionally outward outwards inward upward upwards downward downwards forward forwards backward backwards"
    " sideways overhead ahead straight up down out back again once not never neatly mid-air"
)
COLOURS: Final = {
    "red": "red", "scarlet": "red", "crimson": "red", "maroon": "dark red", "burgundy": "dark red",
    "orange": "orange", "yellow": "yellow", "golden": "gold", "gold": "gold", "green": "green", "lime": "green",
    "olive": "green", "teal": "teal", "turquoise": "teal", "cyan": "teal", "aqua": "teal", "blue": "blue",
    "navy": "dark blue", "azure": "blue", "purple": "purple", "violet": "purple", "lavender": "light purple",
    "magenta": "pink", "pink": "pink", "brown": "brown", "tan": "beige", "beige": "beige", "khaki": "beige",
    "cream": "white", "ivory": "white", "white": "white", "black": "black", "gray": "gray", "grey": "gray",
    "silver": "gray", "silvery": "gray", "bronze": "brown", "copper": "brown", "blond": "blond", "blonde": "blond",
    "reddish": "red", "bluish": "blue", "greenish": "green", "yellowish": "yellow", "brownish": "brown",
    "grayish": "gray", "greyish": "gray", "whitish": "white", "pinkish": "pink", "multicolored": "colorful",
    "multi-colored": "colorful", "multicoloured": "colorful", "colorful": "colorful", "colourful": "colorful",
}  # fmt: skip
SHADES: Final = {
    "dark": "dark", "deep": "dark", "light": "light", "pale": "light", "bright": "bright", "vivid": "bright",
    "vibrant": "bright", "muted": "muted", "dull": "muted", "darker": "dark", "lighter": "light",
    "brighter": "bright",
}  # fmt: skip
MATERIALS: Final = {
    "wood": "wood", "wooden": "wood", "timber": "wood", "metal": "metal", "metallic": "metal", "steel": "metal",
    "iron": "metal", "stone": "stone", "brick": "brick", "concrete": "concrete", "cement": "concrete",
    "glass": "glass", "plastic": "plastic", "paper": "paper", "cardboard": "cardboard", "leather": "leather",
    "fabric": "fabric", "cloth": "fabric", "woven": "woven", "wicker": "wicker", "marble": "marble",
    "ceramic": "ceramic", "porcelain": "ceramic", "rubber": "rubber", "bamboo": "bamboo", "straw": "straw",
    "velvet": "velvet", "denim": "denim", "wool": "wool", "woolen": "wool", "cotton": "cotton", "aluminum": "metal",
    "clay": "clay", "asphalt": "asphalt", "tile": "tile", "tiled": "tile", "gravel": "gravel", "thatched": "straw",
}  # fmt: skip
# Adjectives that no suffix rule of `word_class` would find.
ADJECTIVES: Final = word_set(
    "small large big huge tiny little long short tall high low wide narrow thick thin slim slender broad flat deep"
    " shallow steep round square oval circular rectangular triangular cylindrical spherical conical hexagonal curved"
    " straight vertical horizontal diagonal upright parallel open closed shut ajar empty full clean dirty dusty muddy"
    " wet dry new old young adult modern ancient traditional vintage rustic bright dark light dim pale vivid vibrant"
    " dull clear blurry sharp soft hard smooth rough bumpy fluffy furry hairy shiny glossy matte shaggy slight verdant"
    " unclear ample distinguishable lengthy orderly sizable agricultural transparent translucent opaque reflective"
    " plain simple ornate intricate decorative elaborate fancy dense sparse lush leafy grassy bushy bare barren green"
    " rural urban suburban outdoor indoor sunny cloudy rainy snowy foggy windy stormy overcast hazy misty humid warm"
    " cool cold hot frosty icy calm quiet serene peaceful tranquil busy lively cheerful festive joyful happy sad"
    " somber gloomy moody serious neutral casual formal relaxed dramatic romantic mysterious nostalgic playful"
    " whimsical melancholic energetic dynamic static natural artificial even uneven uniform ambient diffuse harsh"
    " strong intense faint subtle minimal moderate visible noticeable prominent distinct discernible present legible"
    " far distant main central aged nearest closest majestic left right upper lower top bottom front rear back middle"
    " inner outer side left-hand right-hand similar identical different various fresh ripe raw cooked lit unlit alone"
    " asleep awake still bald blond fat heavy sheer stiff loose tight crisp fine coarse solid hollow broken intact"
    " whole cracked bent upside-down sleeveless shirtless barefoot male female asian religious historic classic"
    " classical industrial commercial residential professional medical military public nearby adjacent unknown"
    " unidentifiable indistinct healthy lone solitary many-colored plaid checkered floral geometric abstract"
    " animal-print polka-dot striped patterned spotted dotted mottled speckled marbled weathered rusty mossy rocky"
    " sandy stony wavy curly choppy rippled puffy wispy fleecy sturdy delicate elegant stylish tidy messy cluttered"
    " crowded cozy inviting mature dead alive wild common typical official fair mild nighttime daytime sunlit moonlit"
    " well-lit candid documentary intimate out-of-focus ornamental key octagonal pentagonal arched domed crescent"
    " heart-shaped star-shaped cubic boxy squat stout plump chubby slanted tilted upturned half-open half-closed"
    " mid-air aerial frontal overhead eye-level panoramic monochrome monochromatic sepia realistic cartoon grainy"
    " flowering blooming vacant shady shadowy gleaming spiky pointy fuzzy worn smaller larger bigger taller shorter"
    " longer wider thinner thicker darker lighter brighter closer farther higher older younger smallest largest"
    " tallest foremost rightmost leftmost topmost uppermost lowermost woolly elderly lovely ugly friendly hilly chilly"
    " scaly prickly bubbly early burly quaint cosy bleak eerie tense hopeful upbeat sparkling steady awkward"
)
# Where something stands in the frame, what it is for, how many: kept out of attributes.
POSITION_ADJECTIVES: Final = word_set(
    "left right upper lower top bottom front rear back middle inner outer side left-hand right-hand main central"
    " other same similar different various present visible noticeable prominent certain unknown nearby adjacent"
    " opposite key rightmost leftmost topmost uppermost lowermost foremost closer farther common typical"
    " unidentifiable discernible individual distant far off-center nearest closest"
)
# An -ing or -ed word that names a thing.
NOMINAL: Final = word_set(
    "building buildings ceiling railing clothing wing wings ring rings string strings painting paintings lettering"
    " lighting writing opening openings drawing drawings morning evening king thing things setting frosting icing"
    " siding awning awnings wiring housing landing earring earrings swing swings sling spring springs marking markings"
    " carving carvings coverings crossing bed beds shed sheds weed weeds seed seeds reed sled bedding flooring"
    " paneling roofing scaffolding plumbing fencing parking ping duckling dumpling pudding dressing topping stuffing"
    " sibling being beings detailing something anything nothing feeling surroundings fishing seating living shopping"
    " dining swimming sewing camping racing training cooking decking lining moulding molding piping padding gathering"
    " wedding clothes leaves stairs glasses feed speed breed steed greed hundred family families butterfly belly jelly"
    " lily assembly viewing reading railings hatched creed moped biped"
)
PERSONS: Final = word_set(
    "man men woman women boy boys girl girls person people child children adult adults chef rider worker workers"
    " player players soldier soldiers baby toddler lady gentleman individual individuals figure pedestrian cyclist"
    " driver farmer fisherman policeman officer officers dancer dancers musician singer skier skateboarder surfer"
    " vendor customer runner swimmer student students teacher doctor nurse monk priest king queen bride groom guy kid"
    " kids couple crowd skater speaker guard"
)
ANIMATE: Final = word_set(
    "doll statue monkey dog cat horse puppy kitten bear elephant lion tiger deer cow goat sheep bird duck lamb gorilla"
)
GENERIC: Final = word_set(
    "vehicle animal structure object figure person individual creature item subject machine insect"
)
# Nouns that name no thing of their own: parts of the frame, qualities, talk about the picture.
ABSTRACT: Final = word_set(
    "image picture photo photograph scene view frame viewer shot composition description caption viewpoint"
    " perspective side sides left right center centre top bottom corner corners portion part parts half quarter third"
    " middle edge edges front back rear end foreground background midground mid-ground distance area areas space"
    " position location section sections direction directions angle height width length depth size shape shapes form"
    " color colors colour colours hue hues shade shades tint tone tones texture textures pattern patterns style design"
    " appearance look finish lighting brightness illumination light sunlight daylight mood atmosphere ambiance"
    " ambience feel feeling sense impression weather day daytime night nighttime time morning afternoon evening dusk"
    " dawn sunset sunrise midday noon season summer winter autumn spring hour hours setting environment surroundings"
    " overall contrast focus blur detail details element elements entity entities object objects item items subject"
    " subjects majority number amount variety series set group lack presence effect conditions condition state quality"
    " kind type sort way manner order fact case use purpose help account relation relationship relationships"
    " coordinates coordinate bounding-box bounding this that these those what region level line-of-sight eye eye-level"
    " closeup close-up vantage material materials surface rest range scale feature features characteristic activity"
    " action motion movement pose posture gaze attention moment event work life nature interaction glow shine gleam"
    " reflection reflections shadow shadows highlight highlights accent accents variation variations visibility"
    " expanse row rows one ones others other center-left center-right upper-left upper-right lower-left lower-right"
    " top-left top-right bottom-left bottom-right left-center right-center horizon indoors outdoors outside inside"
    " upside character tonality saturation exposure clarity noise resolution camera everything nothing something"
    " anything someone anyone lot bit reference indication evidence suggestion possibility ease percent proximity"
    " layer bounding-boxes extent placement orientation arrangement alignment vicinity midst remainder total context"
    " exception certainty beauty language source sources bloom story word words backdrop place progress function theme"
    " vibe spot spatial entirety stance juncture two-thirds one-third three-quarters"
)
# Parts: their whole is the possessor.
PARTS: Final = word_set(
    "head face hair hand hands arm arms leg legs foot feet eye eyes ear ears nose mouth neck shoulder shoulders"
    " finger fingers tail wing wings beak paw paws fur mane horn horns roof door doors window windows wall chimney"
    " wheel wheels tire tires handle handles lid base top rim spout body trunk branch branches leaves petal petals"
    " stem stems seat seats back backrest armrest headlight headlights windshield hood bumper mast hull sail deck"
    " cabin propeller engine cockpit screen button buttons strap straps sleeve sleeves collar pocket pockets hem sole"
    " spire column columns facade balcony porch steps stairs railing spoke spokes pedal pedals handlebar handlebars"
    " saddle chain frame knob drawer drawers shelf shade pole post canopy crown claw claws feather feathers fin fins"
    " tooth teeth tongue lip lips chin cheek beard mustache torso chest waist wrist elbow knee ankle thumb fingernail"
    " antenna mirror plate keyboard label core peel shell gable shutter shutters"
)
# Parts of a body that serve to say where something is: `around her neck`.
BODY: Final = word_set(
    "head face hair hand arm leg foot eye ear neck shoulder finger chest torso body waist hip lap thigh wrist elbow"
    " knee ankle forehead back"
)
# Verbs that only present their object: "the image shows a dog".
PRESENTING: Final = word_set(
    "show depict capture feature present display portray include contain focus illustrate highlight showcase see"
    " consist"
)
# Verbs that interpret: what follows is no content of the image.
INTERPRETING: Final = word_set(
    "suggest indicate imply create give add make contribute enhance convey evoke emphasize allow reveal result"
    " contrast cause provide appear focus draw lend help reflecting resemble highlight represent mean"
)
# Participles that only say where: "is located on" means "is on".
LOCATING: Final = word_set(
    "locate position situate place see find visible present set display stand sit lie rest extend appear occupy seat"
)
_VERBS = (
    "wear hold carry ride walk stand sit lie lay run rest lean hang float fly swim jump climb crouch kneel bend look"
    " face gaze point reach touch grip grasp pull push lift throw catch kick hit play eat drink cook cut read write"
    " draw paint talk speak smile laugh sleep stretch extend span cover surround fill occupy dominate line border frame"
    " cross enter leave approach follow lead connect attach join support mount hang suspend perch grow bloom cluster"
    " stack pile scatter spread arrange place position locate situate set put park drive sail row tow tie wrap drape"
    " fold roll coil curl twist bend curve tilt angle slope rise fall drop emerge protrude stick jut overhang overlap"
    " obscure block hide conceal shade cast shine illuminate light glow reflect sparkle ripple flow splash pour spray"
    " burn smoke crack break tear wear rust fade weather stain dot stripe decorate adorn embellish carve engrave"
    " print label mark sign display show depict feature include contain consist comprise compose make build construct"
    " form create shape design use serve work fish hunt farm graze feed pet hug kiss shake wave clap dance sing perform"
    " pose watch observe view see find appear seem look resemble suggest indicate imply convey evoke capture portray"
    " illustrate highlight emphasize enhance contribute add give provide allow cause result reveal focus center stop"
    " start continue move pass turn spin slide balance skate ski surf swing chase bark bite lick sniff hop crawl creep"
    " divide separate enclose flank top crown cap dress clothe paint pave coat plate tile thatch pack load bear hold"
    " keep open close shut lock tuck clip pin sew knit weave plant water harvest pick collect gather sort clean wash"
    " dry sweep brush comb braid shave blow inflate raise lower blur crop cut slice chop peel bake fry grill toast melt"
    " freeze snow rain pour drizzle meet belong remain stay wait gather crowd fit match contrast complement blend fade"
    " interact communicate operate handle steer control press type tap swipe scroll record photograph film present go"
    " come get take bring send seat attend shelter protect guard secure fasten buckle button zip anchor dock moor"
    " nestle embed insert submerge immerse bury expose cluster intersect radiate repeat alternate vary range taper"
    " transition merge lean prop brace steady dangle trail drag haul transport deliver ride tower loom overlook"
    " silhouette shadow dapple mottle texture pattern color colour dye tint gild polish varnish lacquer gloss"
    " damage dent scratch chip ruin crumble collapse peel curl fray tatter discolor wrinkle crease crumple lay"
    " lead stop hover land launch board dive dip soak drip leak sink rest relax play practice train exercise race"
    " compete celebrate participate engage concentrate contemplate study teach learn sell buy shop browse"
    " sprinkle garnish top dust frost glaze season toss mix stir whisk scoop serve arch dome vault"
    " lie recline slouch squat duck huddle cluster converge diverge branch fork wind meander snake bubble foam crash"
    " overgrow overcast shrink swell bulge puff billow flutter flap house store stock display advertise read state say"
    " identify describe define determine characterize dominate intersperse interlock intertwine tangle entwine"
    " sunbathe picnic camp hike trek stroll march parade pedal cycle skateboard snowboard paddle kayak canoe"
)
VERBS: Final = word_set(_VERBS)
IRREGULAR: Final = {
    "held": "hold", "stood": "stand", "sat": "sit", "lay": "lie", "lain": "lie", "laid": "lay", "lying": "lie",
    "ran": "run", "rode": "ride", "ridden": "ride", "worn": "wear", "wore": "wear", "made": "make", "built": "build",
    "seen": "see", "saw": "see", "shown": "show", "taken": "take", "took": "take", "given": "give", "hung": "hang",
    "grown": "grow", "flown": "fly", "drawn": "draw", "written": "write", "cut": "cut", "set": "set", "put": "put",
    "bent": "bend", "lit": "light", "broken": "break", "torn": "tear", "worn-out": "wear", "found": "find",
    "fallen": "fall", "spread": "spread", "woven": "weave", "sewn": "sew", "shut": "shut", "caught": "catch",
    "thrown": "throw", "eaten": "eat", "left": "leave", "kept": "keep", "bound": "bind", "wound": "wind",
    "frozen": "freeze", "hidden": "hide", "tying": "tie", "met": "meet", "led": "lead", "stuck": "stick",
    "sunk": "sink", "sunken": "sink", "swung": "swing", "split": "split", "overgrown": "overgrow", "cast": "cast",
    "hit": "hit", "fed": "feed", "paved": "pave", "inset": "set", "outstretched": "stretch",
}  # fmt: skip
# Nouns that look like a third person: read as a noun unless the sentence needs a verb.
PREPOSITIONS: Final = word_set(
    "in on at of with behind above below beneath under underneath over beside near inside outside within between"
    " among amongst against along across around through throughout toward towards into onto off from to by beyond"
    " before after atop alongside past amid amidst upon during for without opposite via like unlike including except"
    " despite besides"
)
# Several words that act as one preposition, and the short predicate they stand for.
PHRASES: Final = {
    "in front of": "in front of", "in the front of": "in front of", "on top of": "on top of",
    "on the top of": "on top of",
    "atop": "on top of", "to the left of": "to the left of", "on the left of": "to the left of",
    "to the left side of": "to the left of", "on the left side of": "to the left of", "left of": "to the left of",
    "to the right of": "to the right of", "on the right of": "to the right of", "right of": "to the right of",
    "to the right side of": "to the right of", "on the right side of": "to the right of",
    "next to": "next to", "close to": "near", "adjacent to": "next to", "beside": "next to", "alongside": "next to",
    "at the back of": "behind", "in back of": "behind", "to the rear of": "behind", "at the rear of": "behind",
    "on the side of": "on the side of", "at the side of": "on the side of", "by the side of": "next to",
    "in the middle of": "in the middle of", "in the center of": "in the middle of",
    "in the centre of": "in the middle of",
    "at the center of": "in the middle of", "at the top of": "at the top of", "at the bottom of": "at the bottom of",
    "at the base of": "at the base of", "at the foot of": "at the base of", "on the edge of": "on the edge of",
    "at the edge of": "on the edge of", "along the edge of": "on the edge of", "in between": "between",
    "on the back of": "on the back of", "on the front of": "on the front of", "on the surface of": "on",
    "away from": "away from", "out of": "out of", "part of": "part of", "a part of": "part of", "inside of": "inside",
    "outside of": "outside", "in the background of": "behind", "on the other side of": "opposite",
    "on the opposite side of": "opposite", "as well as": "and", "along with": "and", "together with": "and",
    "directly in front of": "in front of", "attached to": "attached to", "connected to": "attached to",
    "just above": "above", "just below": "below", "underneath": "below", "beneath": "below", "under": "below",
    "such as": "such as", "due to": "due to", "because of": "due to", "because": "due to", "instead of": "without",
    "on the far side of": "behind", "from behind": "behind", "on either side of": "on both sides of",
    "on both sides of": "on both sides of", "on each side of": "on both sides of", "surrounded by": "surrounded by",
    "the size of": "the size of", "larger than": "larger than", "bigger than": "larger than",
    "taller than": "taller than", "smaller than": "smaller than", "shorter than": "shorter than",
    "farther than": "behind", "closer than": "in front of", "farther away than": "behind", "wider than": "wider than",
    "as large as": "the same size as", "the same size as": "the same size as", "as tall as": "the same height as",
    "higher than": "above", "lower than": "below", "in the shade of": "below",
}  # fmt: skip
# The picture itself and its regions: a box written after one of them belongs to the subject of the clause.
FRAME: Final = word_set(
    "image picture photo photograph scene frame view side left right center centre top bottom corner middle edge"
    " foreground background midground mid-ground distance viewer half quarter third portion area position location"
    " upper-left upper-right lower-left lower-right top-left top-right bottom-left bottom-right center-left"
    " center-right horizon space coordinate composition shot"
)
MEASURES: Final = word_set(
    "group pair piece row number stack pile body kind type sort bunch cluster set slice patch bit lot series"
    " collection variety couple bowl-full sheet strip clump mass crowd line portion part section view amount majority"
    " handful range grove one some two three each many several most string layer array assortment expanse stretch"
)
OPPOSITE_PLACES: Final = (
    word_set("left right leftmost rightmost left-hand right-hand"),
    word_set("upper lower top bottom topmost"),
    word_set("front rear back middle"),
    word_set("small smaller tiny large larger big bigger"),
)
# Unboxed and followed by a quotation, they only say that something is written on the subject.
TEXT_NOUNS: Final = word_set(
    "text word letter lettering character writing inscription name number phrase message logo caption title"
)
# Adjective and noun that name a kind together; the adjective stays in the tag.
COMPOUNDS: Final = phrase_set(
    "potted plant, potted plants, hot air, hot dog, polar bear, solar panel, solar panels, high chair, "
    "wild boar, electric guitar, electric pole, electrical box, red panda, guinea pig, fried egg, "
    "fried rice, wet suit, white board, black board, stuffed animal, paved path, rolling pin, shopping cart, "
    "shopping bag, dining table, swimming pool, sewing machine, washing machine, parking lot, parking meter, "
    "running shoes, fishing rod, fishing boat, cutting board, sleeping bag, walking stick, magnifying glass, "
    "short pants, bald eagle, front door, public transport, digital clock, tall ship, fresh produce, "
    "remote control, human hand"
)
