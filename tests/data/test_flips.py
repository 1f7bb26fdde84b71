"""Sentences of mirrored images."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refseg.data.english import is_frequent
from refseg.data.flips import flip, swap_left_right
from refseg.data.readers import read_references
from refseg.data.readers.refer import read_refer
from refseg.masks import encode
from refseg.types import Sample


@pytest.mark.parametrize(
    ("expression", "mirrored"),
    [
        ("man on the left", "man on the right"),
        ("Left guy", "Right guy"),
        ("LEFT", "RIGHT"),
        ("leftmost zebra", "rightmost zebra"),
        ("left-most zebra", "right-most zebra"),
        ("left-hand side", "right-hand side"),
        ("lefthand side", "righthand side"),
        ("rt guy", "lft guy"),
        ("far right, left of the tree", "far left, right of the tree"),
        ("topleft pizza", "topright pizza"),
        ("the circle to the left of the red star", "the circle to the right of the red star"),
        ("second square from the right", "second square from the left"),
        ("2nd from left", "2nd from right"),
        ("2 from left", "2 from right"),
        ("last one on right", "last one on left"),
        ("on the right in front", "on the left in front"),
        ("woman left in red", "woman right in red"),
        ("man's left arm", "man's right arm"),
        ("light blue shirt", "light blue shirt"),
        ("bright upright lamp at night", "bright upright lamp at night"),
        ("second square from the top", "second square from the top"),
        ("second row", "second row"),
        ("woman reading a book", "woman reading a book"),
        ("the big one", "the big one"),
        ("eight people", "eight people"),
    ],
)
def test_swaps(expression: str, mirrored: str) -> None:
    assert swap_left_right(expression) == mirrored
    assert swap_left_right(mirrored) == expression


@pytest.mark.parametrize(
    "expression",
    [
        "man at 3 o'clock",
        "at nine o’clock",
        "person right behind the bench",
        "dog right in front of the man",
        "right next to the car",
        "the slice that is left",
        "only one left",
        "bike left behind",
        "right side up",
        "left over pizza",
        "leftovers",
        "that's right",
        "the right-click button",
        "player number 12",
        "jersey 12",
        "#3",
        'sign that reads "stop"',
        "bus that says left turn",
        "the word on the cup",
        "letter on the left",
        "L shaped couch",
        "guy on l",
        "r side",
        "person in the east",
        "southwest corner",
        "western hat",
        "clockwise from the top",
        "driver's side mirror",
        "lef guy",
        "rigth guy",
        "the rihgt one",
        "guy on the ight",
        "leftt",
        "lwft",
        "lefmost",
        "leFt",
        "first guy",
        "third person in the row",
        "3rd zebra",
        "last horse",
        "chaise à gauche",
        "L",
        "top R",
        "nine o´clock",
        "3 oclock",
        "CCW",
        "NE corner",
        "W side",
        "westernmost hut",
        "nearside wheel",
    ],
)
def test_leaves_alone_what_is_not_safe(expression: str) -> None:
    assert swap_left_right(expression) is None


OTHER_LANGUAGES = """
der Mann links | die rote Kiste rechts | linker Stuhl | das rechte Auto
die linke Tasse | Hund ganz links unten | zweiter von rechts | links | Rechte Frau
der linken Frau | Person rechts außen | Auto mit linkem Rad | linkes Bild
Mann im linken Bild
homme à gauche | femme a droite | la voiture de droite | le chien gauche
chaise du cote gauche | le verre droit | deuxieme en partant de la gauche | gauche
personne tout à droite
hombre a la izquierda | mujer de la derecha | el coche izquierdo | perro derecho
vaso izq | la silla de la dcha | izquierda | arriba a la derecha
uomo a sinistra | donna destra | il cane di destra | tazza sinistra | sedia sulla destra
gatto sx | in basso a dx | destro
человек слева | красная чашка справа | левый стул | правая машина | крайний левый
мужчина в правом углу
左边的男人 | 右侧的红色杯子 | 左 | 最右边 | 左のコップ | 右側の人 | ひだりのいぬ | みぎの車 | ヒダリ
الرجل على اليسار | الكوب الأيمن | يمين | السيارة اليسرى | يسار
homem à esquerda | carro direito | cadeira da direita | o cão esquerdo
de hond links | rechter stoel | man aan de rechterkant | linkse auto
mannen till vänster | vanstra bilen | den högra koppen | hunden til venstre | høyre bil
den hojre kop
kot po lewej | prawy samochod | krzesło z prawej strony | lewa filiżanka | pes vlevo
levý hrnek | auto vpravo | pravá židle | lijevi pas | desna solja | čovek levo
muž vľavo
soldaki kedi | sağdaki adam | sag taraftaki araba | solda
kissa vasemmalla | oikea tuoli | koer vasakul | parem tool
a bal oldali kutya | jobb oldali szék | jobbra
câinele din stanga | scaunul din dreapta
kucing di kiri | cangkir sebelah kanan | aso sa kaliwa
con mèo bên trái | cai ly ben phai
mbwa upande wa kushoto | kikombe kulia
ezkerreko txakurra | eskuineko aulkia
l'home de l'esquerra | cotxe dret
ο άντρας αριστερά | η δεξιά καρέκλα | aristera
बाईं ओर का आदमी | दाहिना कप | baayein taraf
האיש משמאל | ימין
왼쪽 남자 | 오른쪽 컵
แมวทางซ้าย | இடது நாய் | ডান দিকের কাপ
njeriu majtas | djathtas
suns pa kreisi | kairysis kede | desine puse
madra ar chlé | y ci ar y chwith
zuobian de ren | migi no inu
""".replace("\n", " | ")


@pytest.mark.parametrize("expression", OTHER_LANGUAGES.strip(" |").split(" | "))
def test_other_languages_are_not_judged(expression: str) -> None:
    """Each has a side."""
    assert swap_left_right(expression) is None


# As annotators of ReferIt typed them, and other slips and signs of their kinds.
SLIPS = """
man on rgt | thing above woman on rights head | tight side of court | curtain ride side | top rit
chair on the fight | cabin on the tight | far let | let side | bottom rift corner | man on rite
rite side | ritght | riht | leff guy | letf | far lef | bottom rigt | top rght | rigth-most
lef most | leftmst | rightmots | righ side | on the rihgt | le ft cup | r ight cup | bottomrgt
toprght | lfetmost | righside tree | lt guy | face on lefts hat | man on light | light side of it
the cup ← | → dog | ⬅ man | man ➡ | 👈 cup | 👉 this one | ⇐ the chair | ⇒ person | <- dog | dog -->
<< man | cup ◀ | 🫲 dog | cup ↖ | the red cup 👈🏽 | léft cup | ｌｅｆｔ cup | cup on the lеft
ʟᴇғᴛ cup | 𝐥𝐞𝐟𝐭 cup | leﬅ cup | le\u200bft cup | le\u00adft cup | le\u0301ft cup | l3ft cup
""".replace("\n", " | ")


@pytest.mark.parametrize("expression", SLIPS.strip(" |").split(" | "))
def test_a_side_that_is_spelt_otherwise_never_stays(expression: str) -> None:
    assert swap_left_right(expression) is None


WORDS = re.findall(
    r"\S+",
    """
    left right leftmost rightmost lft rt lefthand left-hand Left RIGHT leFt rights lefty the on of
    to in at is one only just behind next front over with from far top last first 2nd 12 2 row
    man's red light lef rigth reads o'clock l a side most, ’s all it's up click farleft far-right
    something left's right' "left" slice left. handed angle second number east third 3 away now hand
    links gauche le ft rgt → Ｌeft lé zebra night tight far top
    """,
)


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), st.sampled_from([" ", "  ", "-"]))
def test_twice_is_the_identity(words: list[str], between: str) -> None:
    expression = between.join(words)
    mirrored = swap_left_right(expression)
    if mirrored is not None:
        assert swap_left_right(mirrored) == expression


@given(st.text())
def test_twice_is_the_identity_of_any_text(expression: str) -> None:
    mirrored = swap_left_right(expression)
    if mirrored is not None:
        assert swap_left_right(mirrored) == expression


def test_one_slip_of_the_pen_is_noticed() -> None:
    """Every sentence with "left" or "right" in which one letter is wrong is left alone."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    genuine = {"light", "night", "eight", "bright"}
    for word in ("left", "right"):
        slips = {word[:i] + word[i + 1 :] for i in range(len(word))}
        slips |= {word[:i] + c + word[i + 1 :] for i in range(len(word)) for c in alphabet}
        slips |= {word[:i] + c + word[i:] for i in range(len(word) + 1) for c in alphabet}
        slips |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
        for slip in slips - {word, "lefty", "righty", "lft"} - genuine:
            assert swap_left_right(f"man on the {slip} side") is None, slip


def test_two_slips_of_the_pen_are_noticed() -> None:
    """Two letters replaced, for a sample of all ways; words that there are may stay."""
    generator = np.random.default_rng(0)
    alphabet = np.array([*"abcdefghijklmnopqrstuvwxyz"])
    for _ in range(500):
        letters = np.array([*generator.choice(["left", "right"])])
        letters[generator.choice(len(letters), 2, replace=False)] = generator.choice(alphabet, 2)
        word = "".join(letters)
        expression = f"man on the {word} side"
        assert swap_left_right(expression) != expression or is_frequent(word), word


def sample(*expressions: str) -> Sample:
    generator = np.random.default_rng(0)
    masks = generator.random((len(expressions), 4, 6)) < 0.5
    return Sample(
        image=generator.integers(0, 256, (4, 6, 3), np.uint8),
        masks=masks,
        expressions=expressions,
        expression_ids=tuple(range(len(expressions))),
        truths=tuple(encode(mask) for mask in masks),
        image_path="noise.png",
    )


def test_flip_mirrors_everything_but_the_truths() -> None:
    before = sample("left cup", "red cup")
    after = flip(before)
    assert after is not None
    assert after.expressions == ("right cup", "red cup")
    np.testing.assert_array_equal(after.image, np.fliplr(before.image))
    np.testing.assert_array_equal(after.masks[1], np.fliplr(before.masks[1]))
    assert (after.truths, after.expression_ids) == (before.truths, before.expression_ids)
    again = flip(after)
    assert again is not None
    np.testing.assert_array_equal(again.image, before.image)
    np.testing.assert_array_equal(again.masks, before.masks)
    assert again.expressions == before.expressions


def test_sentences_without_a_side_are_flipped_although_words_are_near() -> None:
    for expression in (
        "light blue shirt", "the lamp with the bright light", "night sky", "eight people",
        "leaf on his feet", "the next seat", "vest of the man in the tent", "high chair",
        "zebras eating leaves", "skateboarder with jeans", "a moutain behind the buidling",
        "giraffes", "man holding a racquet", "the biggest pizza", "woman wearing sunglasses",
    ):  # fmt: skip
        assert swap_left_right(expression) == expression


def test_one_unsafe_sentence_keeps_the_sample_as_it_is() -> None:
    assert flip(sample("left cup", "cup at 3 o'clock")) is None


def test_real_sentences_are_mostly_safe(shared: Path) -> None:
    for dataset, least in (("refcoco", 0.7), ("refcocog", 0.6)):
        expressions = read_refer(
            shared / "data" / "pocket", dataset, {"refcoco": "unc", "refcocog": "umd"}[dataset]
        ).expressions.to_pylist()
        mirrored = [swap_left_right(expression) for expression in expressions]
        safe = [
            (before, after)
            for before, after in zip(expressions, mirrored, strict=True)
            if after is not None
        ]
        assert len(safe) / len(expressions) > least
        for before, after in safe:
            assert swap_left_right(after) == before
            assert ("left" in before) == ("right" in after) or "right" in before


def test_the_built_in_sentences_are_all_judged(shapes_root: Path) -> None:
    expressions = read_references(shapes_root, "shapes").expressions.to_pylist()
    assert None not in map(swap_left_right, expressions)


def test_english_is_told_from_other_languages(shared: Path) -> None:
    """Of what annotators typed in haste, few sentences without a side are taken for foreign."""
    folder = shared / "data"
    pool = read_refer(folder / "pool", "pool", "pool").expressions.to_pylist()
    assert None not in map(swap_left_right, pool)
    queries = json.loads((folder / "referit" / "referit_query_val.json").read_text())
    typed = [text for texts in queries.values() for text in texts][::5]
    without = [text for text in typed if not re.search("left|right|lft|rt", text.lower())]
    assert len(without) > 500
    assert sum(swap_left_right(text) is None for text in without) / len(without) < 0.04
