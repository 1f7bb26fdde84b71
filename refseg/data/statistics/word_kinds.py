"""Lists of words that name a position, an attribute or a relation.

A list cannot know what a word means in its sentence ("light" is a lamp or a shade), so that shares
are estimates. The lists were made for English as RefCOCO's annotators typed it, shorthand included.
"""

from collections.abc import Mapping

from refseg.data.flips import SIDE_WORDS

POSITION = "position"
ATTRIBUTE = "attribute"
RELATION = "relation"
WORD_KINDS = (POSITION, ATTRIBUTE, RELATION)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


POSITION_WORDS = SIDE_WORDS | _words(
    """
    top bottom middle center centre central upper lower uppermost lowermost topmost bottommost
    highest lowest corner side edge end row column far farthest furthest farther further closest
    nearest closer front frontmost back rear foreground background forefront distance distant up
    down north south east west northeast northwest southeast southwest horizontal vertical inner
    outer outermost innermost btm bot mid cntr ctr bg fg
    first second third fourth fifth sixth seventh eighth ninth tenth last
    st nd rd th
    """
)
"""Words of place and order in the picture. (`st nd rd th` are what is left of "2nd".)"""

ATTRIBUTE_WORDS = _words(
    """
    red orange yellow green blue purple violet pink brown black white gray grey beige tan gold
    golden silver maroon teal turquoise navy cream khaki burgundy magenta cyan lime peach
    blk wht colored coloured colorful colourful multicolored dark darker darkest light lighter
    lightest bright brighter brightest pale shiny clear transparent
    big bigger biggest small smaller smallest medium large larger largest little tiny huge giant
    tall taller tallest short shorter shortest long longer longest wide wider widest narrow thin
    thinner thinnest thick thicker thickest fat skinny slim chubby
    striped stripes stripe stripy plaid checkered checked spotted dotted polka floral flowered
    patterned plain solid fuzzy furry fluffy hairy curly straight wavy
    wooden metal metallic plastic glass leather stone brick concrete wicker
    round square rectangular circular oval triangular curved flat pointed
    old older oldest young younger youngest new bald blond blonde brunette bearded redhead
    empty full fullest half open opened closed whole cut sliced broken blurry blurred dirty
    clean wet dry bare naked shirtless smiling pretty fancy
    male female
    """
)
"""Words for what the thing itself looks like: colour, size, pattern, stuff, shape, age, state."""

RELATION_WORDS = _words(
    """
    next near nearby beside besides behind between among amongst above below under underneath
    beneath over against by with without around across along alongside opposite inside outside
    within atop beyond towards toward facing touching wearing holding carrying riding pulling
    pushing hugging eating drinking playing using surrounded attached leaning covering covered
    belonging
    """
)
"""Words that tie the thing to another thing."""

PHRASES: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("in", "front", "of"): (RELATION,),
    ("infront", "of"): (RELATION,),
    ("in", "back", "of"): (RELATION,),
    ("on", "top", "of"): (RELATION,),
    ("in", "between"): (RELATION,),
    ("in", "the", "middle", "of"): (RELATION, POSITION),
    ("at", "the", "end", "of"): (RELATION, POSITION),
    ("left", "of"): (RELATION, POSITION),
    ("right", "of"): (RELATION, POSITION),
    ("close", "to"): (RELATION,),
    ("closest", "to"): (RELATION, POSITION),
    ("closer", "to"): (RELATION, POSITION),
    ("nearest", "to"): (RELATION, POSITION),
    ("sitting", "on"): (RELATION,),
    ("standing", "on"): (RELATION,),
    ("lying", "on"): (RELATION,),
    ("laying", "on"): (RELATION,),
    ("looking", "at"): (RELATION,),
    ("o", "'clock"): (POSITION,),
}
"""Several words that mean something together: they then do not count one by one."""

KIND_OF_WORDS: Mapping[str, frozenset[str]] = {
    POSITION: POSITION_WORDS,
    ATTRIBUTE: ATTRIBUTE_WORDS,
    RELATION: RELATION_WORDS,
}
