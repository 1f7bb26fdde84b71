"""Frequent words of English expressions, by which English sentences are recognised.

Sides of other languages cannot all be listed. A sentence of which most words are unknown here may
be of such a language, and is then not one to judge by its English words.
"""

from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENDINGS = (
    ("s", ("",)),
    ("es", ("",)),
    ("ies", ("y",)),
    ("ves", ("f", "fe")),
    ("ed", ("", "e")),
    ("ing", ("", "e")),
    ("er", ("", "e")),
    ("est", ("", "e")),
    ("y", ("", "e")),
    ("ier", ("y",)),
    ("iest", ("y",)),
    ("ish", ("", "e")),
    ("ly", ("",)),
)

_WORDS = _words(
    """
    about above across actual adult african after again against ahead air aircraft airplane airport
    alien all alligator almost alone along alongside already also although aluminum always am
    american among amongst an and angel animal ankle another ant antelope antenna any anybody
    anyone anything anyway anywhere ape apple apron arch archway are area arm armchair around arrow
    art as asian asphalt at athlete atop attached audience avocado avoid away awning axe baby back
    backboard background backpack bacon bad bag bagel balcony bald ball balloon bamboo banana band
    bandage bangs bank banner bar bare barge bark barn barrel base baseball basil basket bat batch
    bathroom bathtub bay bc be beach beak beam bean bear beard beat beautiful because bed bedroom
    bedside bedspread bee beef been beer before behind beige being bell belonging below belt bench
    bend beneath bent berry beside best bet between beyond bg bicycle bicyclist big bike bikini
    billboard bin bird bison bit bite black blackboard blank blanket blazer bldg bleachers blender
    blinds blk blob block blond blonde blossom blouse blue blueberry blurred blurry board boardwalk
    boat body bolt book bookcase bookshelf boot border bot both bottle bottom bottommost boulder
    bowl box boy bracelet braid branch bread brick bride bridge bridle bright broccoli broken
    bronze brother brown brunette brush btm bucket buckle buffalo bug building bull bumper bun
    bunch bundle bunk buoy burger burgundy bus bush but butt butterfly button by cabbage cabin
    cabinet cable cacti cactus cake calendar calf camcorder camel camera cameraman can canal candle
    candlestick cannon cannot canoe canopy canyon cap car card carpet carriage carrot cart carton
    cascade case castle cat catch cathedral cattle cauliflower cave ceiling celery cell cello
    cellphone cement cent central centre ceramic cereal chain chair chalkboard champagne chandelier
    checked checkered cheese cheetah chef cherry chest chew chick chicken child children chimney
    chin chinese chocolate chopstick chrome chubby church circle circular city cityscape clay clean
    clear click cliff climb clock close closet cloth cloud clown clump cluster coach coast coat
    cobblestone coffee coke cola collar color colorful coloured colourful column comb coming
    completely computer concrete cone container controller cook cookie cool cop coral cord cork
    corn cotton couch could counter couple court cover cow cowboy crab crane crate crayon cream
    creature creek creepy crescent cricket critter croissant cross crosswalk crotch crouch crow
    crowd crown crust crutch cry crystal ctr cucumber cuff cup cupboard cupcake curb curly curtain
    curved cushion cut cute cyan cycle cyclist dad daisy dam dance dark darkness daughter dead
    decanter deck deer denim desert design desk diagonally diamond did different dining direct dirt
    disc dish disk distance distant diver do dock doctor does dog doing doll dolphin dome donkey
    donut door doorknob doorway dots dotted double doughnut dove down dozen dragon drapes draw
    dress drink drive driveway drum dry duck duckling dude dugout dune during dwarf each eagle ear
    earphones easel east eat edge egg eighth either elbow elderly elephant elk ellipse else empty
    end engine entire entrance entry envelope escalator etc european even every everyone everything
    exact except exhaust exit extreme eye fabric face fall family fan fancy far farm farther
    farthest fat father faucet feather fedora feed feet female fence fender fern few fg field fifth
    figure filled finger fire fireman fireplace firework first fish fisherman fix fixture flag
    flame flamingo flannel flat flight flock floor floral flower fluffy flute fly foal foam fog
    folded foliage folks follow food foot for forefront foreground foremost fork formation fountain
    four fourth fox frame freezer fridge friend fries fringe frisbee frog from front frontmost
    frosting fruit full funny fur furniture further furthest fuzzy gal game gap garage garbage
    garden garlic gate gator gazelle geese gentleman get ghost giant gift ginger giraffe girl
    giving glacier glass globe glove glue go goalie goat goatee goggles going gold golden good
    goose gorilla got gown grab grain grandma grandpa granite grape grapefruit grass grater gravel
    gray gree green greenhouse groom gross ground group guess guitar gun guy ha had hair hairdryer
    half halfway hallway ham hamburger hammock hamster hand handbag handle handsome hang happy
    harbor harbour hard harness has hat have hawk hay he head headband headboard headlight
    headphones headset heap heart heat hedge heel height held helicopter helmet hen her herb herd
    here hexagon hidden hide high highway hill hillside him himself hippo his hit hockey hog hold
    hole hollow home honey hood hoodie hoof hoop hooves horizon horizontal horn horse hose hot
    hotdog hotel house how huge hugging human hundred husband hut hydrant ice iceberg icing
    identical if iguana image immediate in inch including infant infield infront inner innermost
    insect inside instrument into ipad iron is ish island it item its itself jacket jam jar jean
    jeep jelly jersey jet jockey jug juice jump jungle junk just jutting kangaroo kerb ketchup
    kettle keyboard khaki kick kid kind kinda kitchen kite kitten kiwi knee kneel knife knob knot
    know koala label lace ladder ladle lady lagoon lake lamb lamp lamppost lampshade land landscape
    lane lantern lap laptop large last latte laugh lawn lay lead leaf lean leap least leather leave
    ledge leg lego lemon lens leopard less lettuce level license lick lid lie life lifejacket light
    lighthouse lightpost like lily lime line linen lion lip lipstick liquid lit literally little
    living lizard llama load lobster log logo lone long look lost lot lounge love loveseat low
    lowermost luggage lying machine magazine magenta main makeup male man mango map marble marker
    maroon mask mass mat mattress may maybe mayo me meadow mean meat medium meet melon men menu
    metal metallic meter microphone microwave mid middle milk mill mine minivan mint mirror mist
    mitt mitten mom monitor monkey monster monument moon moose moped more mosque most moth
    motorcycle motorcyclist mound mountain mountainside mountaintop mouse moustache mouth mt mtn
    much mud muffin mug mule multicolored mural museum mushroom musician must mustache mustard my
    nail napkin narrow navy near nearby neat neck necklace nest net never new newspaper next nice
    night nightstand ninth no nobody noodle north northeast northwest nose not notebook nothing now
    number nurse oar oatmeal object ocean of off office often ok okay old olive omelette on once
    one onion only open opposite or orange orchard ostrich other ottoman our out outermost outfield
    outfit outlet outline outside oval oven over overhead overpass owl ox pack pad paddle page
    paint pair palace pale palm pan pancake panda panel pants paper parachute parasol park parrot
    parsley part partial passenger past pasta pastry pasture patch path pathway patio pattern paved
    pavement paw pea peace peach peacock peak pear pebble pedestrian peeking peeps pen pencil
    penguin peninsula pentagon people pepper pepperoni perfect person pet petal phone photo
    photographer piano pic pick pickle picnic picture pie piece pier pig pigeon pile pillar pillow
    pilot pine pineapple pink pipe pitcher pizza place placemat plaid plain plane planks plant
    plastic plate play please plug plum plus pocket point pole policeman polka poncho pond pony
    ponytail pool porcelain porch pork port portion portrait posing post pot potato pour power ppl
    pretty printer problem puddle pull pumpkin puppet puppy purple purse push pyramid quarter quilt
    quite rabbit raccoon rack racket racquet radio radish raft rail railroad railway rainbow
    raincoat raised rake ramp range rat rather re reach read really rear recliner rectangle
    rectangular red redhead referee reflection refrigerator rein remote rest rhino ribbon rice
    ridden rider ridge riding rifle rim ring river road roadway robe rock roo roof room rooster
    rope rose round row rubber rug rugby ruins run runway sack saddle sail salad salt same sand
    sandal sandwich sash sauce sausage saw says scarf scissors scooter scoreboard screen screw
    sculpture sea seagull seahorse seal seat second section see seen serve sesame set seventh
    several shack shade shadow shall shampoo shape shark she sheep sheet shelf shelves shield
    shingles shiny ship shirt shirtless shoe shore short shot should shovel show shrimp shrub side
    sidewalk sideways sign silk silver silverware similar since sing single sink sister sit sixth
    size skate skateboard skeleton ski skinny skirt skull sky skyline skyscraper sleep sleet sleeve
    sleeveless slice slide slight slim sliver small smile smoke smooth snake sneaker snow snowboard
    snowmobile so soap soccer sock soda sofa soft soil soldier solid some somebody someone
    something son sorry soup south southeast southwest space spaghetti sparrow spatula speaker
    speedo spider spinach sponge spoon sports spot spread sprinkles square squash squat squirrel
    stack stadium stage stair staircase stairway stamp stand stapler star stare starfish start
    station statue steak steam steel steeple stem step stereo stick still stomach stone stool stop
    stoplight store stork stove straight straw strawberry stream street streetlight strip stripe
    stroller structure student stuff stump stupid sugar suit suitcase sun sunflower sunglasses
    sunlight sunset super support surf surfboard surrounded surrounding suv swan sweater sweatpants
    sweatshirt swim swing sword syrup table tablecloth tablet tabletop tail taillight taking talk
    tall tan tank tape tarp tassel tattoo taxi tea teacher teal team teddy tee teen teenage teeth
    telephone telescope television tell temple tennis tent tenth text than that thatch the their
    them then there these thick thigh thin thing think third this those though thought thousand
    three through throw thru thumb tie tiger tights tile time tin tip tire to toad toast toddler
    together toilet tomato tombstone tongs tongue too tool tooth toothbrush toothpaste top topmost
    tornado totally touch tourist toward towel tower town toy track tractor traffic trail train
    tram transparent trash trashcan tray tree treeline triangle triangular trio tripod trolley
    trousers truck trunk tub tube tulip tunnel turkey turn turquoise turtle tusk tuxedo tv twice
    two ugly umbrella umpire under underneath uniform until up upper uppermost upside us use using
    utensil valley van vase vegetation veggies vehicle velvet vent vertical very vespa vest view
    village vine violet visible volcano volleyball waffle wagon waist wait waitress walk walkway
    wall wallpaper wardrobe was wash wasp watch water waterfall waterline watermelon wave way we
    wear weeds weight weird welcome well were west wet wetsuit whale what whatever wheel
    wheelbarrow wheelchair when where which while whisk white who whole whom whose wht why wicker
    wide wife wig wii will windmill window windshield windsurfer wine wing wiper wire with within
    without wolf woman women wood wooden wool word worker worm would wrench wrist writing yacht
    yeah yellow yep yes yet you young your yup zebra zipper
    """
)


def _shorter(word: str) -> list[str]:
    """The word without each of its letters: words with one in common are one slip apart."""
    return [word[:i] + word[i + 1 :] for i in range(len(word))]


_LONG = 6  # letters; shorter words are one slip from too many others
_SLIPS = frozenset(
    slip for word in _WORDS if len(word) >= _LONG for slip in (word, *_shorter(word))
)


@lru_cache(maxsize=100_000)
def is_frequent(word: str) -> bool:
    """Whether a word, or the one that it is derived from by one or two endings, is in the list.

    Args:
        word: in lower case.

    Example:
        >>> [is_frequent(word) for word in ("zebras", "sunniest", "elephnt", "zebre", "links")]
        [True, True, False, False, False]
    """
    roots = [word, *_bases(word)]
    roots += [root for base in roots[1:] for root in _bases(base)]
    return any(root in _WORDS for root in roots)


@lru_cache(maxsize=100_000)
def is_nearly_frequent(word: str) -> bool:
    """Whether a word is frequent, or a long word of the list with one slip of the pen.

    Args:
        word: in lower case.

    Example:
        >>> is_nearly_frequent("elephnt")
        True
    """
    if is_frequent(word):
        return True
    return len(word) >= _LONG and not _SLIPS.isdisjoint([word, *_shorter(word)])


def _bases(word: str) -> list[str]:
    """What is left of a word without an ending: "sunn" and "sun" of "sunny"."""
    found = []
    for ending, replacements in _ENDINGS:
        stem = word.removesuffix(ending)
        if len(stem) < 3 or stem == word:
            continue
        found += [stem + replacement for replacement in replacements]
        if stem[-1] == stem[-2]:
            found.append(stem[:-1])
    return found
