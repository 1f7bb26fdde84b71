"""Words for left and right in other languages that use Latin letters."""

import re
from functools import lru_cache

# Without accents, as people type them; spellings with other letters (æ, ø, ł, …) are no English
# words in any case. Each pattern is a whole word with its usual inflections.
_SIDES = {
    "German, Dutch, Afrikaans": r"\w*links\w*|linke[rnms]?|linker\w*|\w*rechts\w*|"
    r"rechte[rnms]?|rechter\w+|recht|regs|regter\w*|regterkant",
    "Scandinavian": r"(?:till)?vanst\w+|venst\w+|hoger\w*|hogra\w*|hojr\w*|hoyr\w*|vinstr\w*|"
    r"haegr\w*",
    "French": r"gauch\w*|droite?s?|droitier\w*|gche|dte",
    "Spanish": r"\w*izquier\w*|derech\w*|izq\w*|dch[ao]?|zurd[ao]s?|diestr[ao]s?|siniestr[ao]s?",
    "Portuguese, Galician": r"esquerd\w*|direit\w*|dereit\w*|canhot[ao]s?",
    "Italian": r"sinistr\w*|destr[aoei]|destrors\w*|sx|dx",
    "Catalan": r"esquerr\w*|dret[ae]?s?",
    "Romanian": r"stang\w*|dreapt\w*|drept\w*",
    "Latin, Esperanto": r"dext(?:er|r\w+)|(?:mal)?dekstr\w*",
    "Slavic": r"(?:na|v|w|z|s|sa|do|u|od|po)?(?:lew|praw|lev|ljev|lijev|lav|prav|desn)"
    r"(?:a|e|o|y|i|u|j|ou|ej|em|ym|ymi|yma|ych|eho|ego|emu|ega|om|omu|oj|oga|og|im|ih|ima|iji|"
    r"yj|yy|iy|ij|aya|aia|aja|oe|oye|oje|ogo|uyu|uju|oi|oy)|"
    r"(?:le|pra)vostran\w*|levak|livoruch|pravoruch|liv(?:yi|yj|oho|ij)",
    "Hungarian": r"bal|bal(?:ra|rol|ban|felso|also|oldal\w*|szelso)|jobb\w*",
    "Finnish, Estonian": r"vase(?:n|mm?\w*)|vasak\w*|oike\w*|parem\w*|oigea\w*",
    "Latvian, Lithuanian": r"kreis\w*|lab(?:i|ais|aja|ajam|ajai|ajo|as|aa)|kair\w*|desin\w*",
    "Turkish, Azerbaijani": r"sol(?:da\w*|dan|a|u|un|unda\w*|daki\w*|taraf\w*)?|"
    r"sag(?:da\w*|dan|a|i|in|inda\w*|daki\w*|taraf\w*)?",
    "Albanian": r"majt\w*|djath\w*",
    "Greek": r"aris?ter\w*|dexi\w*|deksi\w*",
    "Basque": r"ezker\w*|eskuin\w*|eskubi\w*",
    "Irish, Welsh, Maltese": r"c[hl]le|clith|dheis|deas|chwith|aswy|dde|xellug|lemin",
    "Indonesian, Malay, Tagalog": r"(?:se)?kiri\w*|(?:se)?kanan\w*|kaliwa\w*",
    "Vietnamese": r"trai|phai",
    "Swahili, Hausa, Yoruba": r"kushoto|kulia|kuume|hagu|hannun|osi|otun",
    "Chinese": r"zuo(?:bian|ce|mian|shou)?|you(?:bian|ce|mian|shou)",
    "Japanese, Korean": r"hidari\w*|migi\w*|(?:oe|we)n(?:jjok|chok)\w*|(?:oreun|orun)\w*",
    "Hindi, Urdu": r"ba+(?:ye+|yi+|en|in|ein|yein|yan)n?|da+(?:ye+|yi+|en|in|ein|yein|yan)n?|"
    r"dahin\w*|dahn\w*",
    "Arabic, Persian, Hebrew": r"(?:al)?yasa+r\w*|(?:al)?yam(?:i|ee)n\w*|shimal|smol\w*|chap|rast",
}
_SIDE = re.compile("|".join(_SIDES.values()))


@lru_cache(maxsize=100_000)
def is_foreign_side(word: str) -> bool:
    """Whether a word may name the left or the right in another language.

    Args:
        word: in lower case and without accents.

    Example:
        >>> [is_foreign_side(word) for word in ("linken", "droite", "izquierda", "destra", "level")]
        [True, True, True, True, False]
    """
    return _SIDE.fullmatch(word) is not None
