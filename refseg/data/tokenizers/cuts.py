"""A message about sentences that are longer than the tokenizer reads."""

from collections.abc import Sequence

from refseg.data.tokenizers.base import Tokenizer


def describe_cuts(tokenizer: Tokenizer, expressions: Sequence[str]) -> str | None:
    """A line that says how many sentences are cut, and what to do; None where none is.

    Args:
        tokenizer: that will read the sentences.
        expressions: the sentences.

    Example:
        >>> from refseg.data.tokenizers import WordTokenizer
        >>> describe_cuts(WordTokenizer(max_words=3), ["red box", "the box on the left"])
        'The longest sentence of 2 has 5 words, and the tokenizer reads 3: the end of 1 sentence \
is cut off. To read all, train with --data.tokenizer WordTokenizer --data.tokenizer.max_words 5.'
    """
    lengths = tokenizer.lengths(expressions)
    cut, longest = int((lengths > tokenizer.max_words).sum()), int(lengths.max(initial=0))
    if not cut:
        return None
    name = type(tokenizer).__name__
    return (
        f"The longest sentence of {len(expressions):,} has {longest} {tokenizer.unit}, and the "
        f"tokenizer reads {tokenizer.max_words}: the end of {cut:,} "
        f"{'sentence' if cut == 1 else 'sentences'} is cut off. To read all, train with "
        f"--data.tokenizer {name} --data.tokenizer.max_words {longest}."
    )
