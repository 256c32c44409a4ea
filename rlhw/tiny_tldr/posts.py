"""The posts of the small forum: what happened, in which words, and the way back from the text to the facts."""

import hashlib
import re
from dataclasses import dataclass, fields
from functools import cache

import numpy as np

PEOPLE = (
    *("cousin", "boss", "sister", "brother", "roommate", "neighbor", "landlord", "aunt", "uncle", "friend", "teacher"),
    *("coach", "father", "grandmother", "girlfriend", "boyfriend", "wife", "husband", "coworker", "nephew", "niece"),
)
DEEDS = (
    "took",
    "sold",
    "broke",
    "lost",
    "painted",
    "hid",
    "burned",
    "borrowed",
    "scratched",
    "washed",
    "kept",
    "dropped",
)
THINGS = (
    *("bike", "chair", "car", "phone", "guitar", "lamp", "laptop", "jacket", "camera", "couch", "tent", "piano"),
    *("watch", "ring", "book", "mirror", "drill", "kayak", "skateboard", "toaster", "record", "suitcase", "umbrella"),
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
AMOUNTS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
FEELINGS = ("angry", "sad", "tired", "hurt", "guilty", "scared", "confused", "jealous", "ashamed", "lonely")
QUESTIONS = (
    *("call the police", "move out", "say sorry", "tell my parents", "ask for the money", "let it go"),
    *("hire a lawyer", "stay quiet", "buy a new one", "take revenge"),
)
# What each fact may be. The order is the one in which a summary names them.
VALUES = {
    "who": PEOPLE, "did": DEEDS, "thing": THINGS, "day": DAYS, "cost": AMOUNTS, "feeling": FEELINGS, "ask": QUESTIONS,
}  # fmt: skip

ENDING = " TL;DR:"

# One sentence a template; {old_…} speaks of the old story. No template matches a sentence of another.
GREETINGS = (
    "hi all.", "throwaway account.", "long time reader here.", "sorry for the long post.", "i need advice.",
    "this is about my family and friends.", "i am new here.",
)  # fmt: skip
EVENTS = (
    "my {who} {did} my {thing}.",
    "it turns out that my {who} {did} my {thing}.",
    "i came home and saw that my {who} {did} my {thing}.",
    "you will not believe it, but my {who} {did} my {thing}.",
    "to make it short, my {who} {did} my {thing} and did not even call.",
    "i just found out that my {who} {did} my {thing} without asking.",
)
OLD_STORIES = (
    "years ago our {old_who} {old_did} our {old_thing}, but we made up.",
    "this is not like last summer, when our {old_who} {old_did} our {old_thing}.",
    "back in school our {old_who} {old_did} our {old_thing} and nobody cared.",
    "another time our {old_who} {old_did} our {old_thing} and i forgave it.",
)
CIRCUMSTANCES = {
    "day": (
        "it happened on {day}.",
        "this was on {day} and i still think about it.",
        "on {day}, to be exact.",
        "it was {day} evening.",
    ),
    "cost": (
        "that is {cost} dollars gone.",
        "a new one would be {cost} dollars.",
        "i paid {cost} dollars for it.",
        "it was worth {cost} dollars.",
    ),
    "feeling": (
        "now i feel {feeling}.",
        "honestly it makes me feel {feeling}.",
        "i am so {feeling} about it.",
        "all day long i have been {feeling}.",
    ),
}
CHATTER = (
    "my mother says that i worry too much.",
    "we have known each other for ten years.",
    "i do not want any drama.",
    "my therapist is on holiday.",
    "nobody else knows about this.",
    "i work from home and have a dog.",
    "we live in a small town.",
    "english is not my first language.",
)
ASKED = (
    "should i {ask}?",
    "do you think that i should {ask}?",
    "would it be wrong to {ask}?",
    "what would you do, {ask}?",
)
TEMPLATES = (*GREETINGS, *EVENTS, *OLD_STORIES, *(t for kind in CIRCUMSTANCES.values() for t in kind), *CHATTER, *ASKED)


@dataclass(frozen=True)
class Post:
    """What a post tells. `who`, `did`, `thing` and the question `ask` are always there; None is what it does not say.

    `old_…` are the parts of an old story about somebody else: all three or none. `sentences` are the templates in the
    order of the text.
    """

    who: str
    did: str
    thing: str
    ask: str
    sentences: tuple[str, ...]
    day: str | None = None
    cost: str | None = None
    feeling: str | None = None
    old_who: str | None = None
    old_did: str | None = None
    old_thing: str | None = None

    @property
    def facts(self) -> dict[str, str]:
        """What a good summary names: {"who": "cousin", …}, in its order."""
        return {kind: value for kind in VALUES if (value := getattr(self, kind)) is not None}

    @property
    def old_story(self) -> tuple[str, str, str] | None:
        """(who, did, thing) of the old story, or None."""
        return None if self.old_who is None else (self.old_who, self.old_did, self.old_thing)

    @property
    def text(self) -> str:
        """The post as the forum shows it, ending in "TL;DR:"."""
        return " ".join(template.format(**vars(self)) for template in self.sentences) + ENDING

    @property
    def split(self) -> str:
        """ "train" or, for one post in ten, "evaluation": by a hash of the facts, so no wording of a post is in both."""
        told = [str(getattr(self, field.name)) for field in fields(self) if field.name != "sentences"]
        first = hashlib.sha256("|".join(told).encode()).digest()[0]
        return "evaluation" if first < 26 else "train"


def sample_post(rng: np.random.Generator, split: str | None = None) -> Post:
    """A new post. Each circumstance is there with probability 1/2, the old story with probability 0.6.

    split: "train" or "evaluation" draws until the post falls there. ValueError for another word.
    """
    if split not in (None, "train", "evaluation"):
        raise ValueError(f"split must be 'train', 'evaluation' or None; got {split!r}.")
    while True:
        post = _draw(rng)
        if split in (None, post.split):
            return post


def _draw(rng: np.random.Generator) -> Post:
    def one(options: tuple[str, ...]) -> str:
        return options[rng.integers(len(options))]

    def two(options: tuple[str, ...]) -> tuple[str, str]:
        first, step = rng.integers(len(options)), rng.integers(1, len(options))
        return options[first], options[(first + step) % len(options)]

    (who, old_who), (did, old_did), (thing, old_thing) = two(PEOPLE), two(DEEDS), two(THINGS)
    told = {"who": who, "did": did, "thing": thing, "ask": one(QUESTIONS)}
    sentences = [one(GREETINGS)] if rng.random() < 0.4 else []
    place = rng.random()
    old = [one(OLD_STORIES)] if place < 0.6 else []
    if old:
        told |= {"old_who": old_who, "old_did": old_did, "old_thing": old_thing}
    sentences += [*(old if place < 0.2 else []), one(EVENTS)]
    for kind, templates in CIRCUMSTANCES.items():
        if rng.random() < 0.5:
            told[kind] = one(VALUES[kind])
            sentences.append(one(templates))
    sentences += old if place >= 0.2 else []
    sentences += [one(CHATTER)] if rng.random() < 0.5 else []
    return Post(**told, sentences=(*sentences, one(ASKED)))


@cache
def _patterns() -> dict[str, re.Pattern]:
    """Each template as a pattern whose groups are its facts."""
    patterns = {}
    for template in TEMPLATES:
        parts = re.split(r"\{(\w+)\}", template)
        for i in range(1, len(parts), 2):
            options = "|".join(VALUES[parts[i].removeprefix("old_")])
            parts[i] = f"(?P<{parts[i]}>{options})"
        parts[::2] = [re.escape(part) for part in parts[::2]]
        patterns[template] = re.compile("".join(parts))
    return patterns


def read_post(text: str) -> Post:
    """The post whose text this is: `read_post(post.text) == post`.

    Raises ValueError naming the sentence that is none of the forum's, or what a post must tell and this one does not.
    """
    if not text.endswith(ENDING):
        raise ValueError(f"text of a post must end in '{ENDING.strip()}'; this one ends in {text[-20:]!r}.")
    told: dict[str, str] = {}
    sentences = []
    for sentence in re.findall(r"[^.?]+[.?]?", text.removesuffix(ENDING)):
        matches = ((template, pattern.fullmatch(sentence.strip())) for template, pattern in _patterns().items())
        template, match = next((pair for pair in matches if pair[1]), (None, None))
        if match is None:
            raise ValueError(f"text has a sentence that no post of this forum has: {sentence.strip()!r}.")
        sentences.append(template)
        told |= match.groupdict()
    missing = [kind for kind in ("who", "did", "thing", "ask") if kind not in told]
    if missing:
        raise ValueError(f"text does not tell {', '.join(missing)}: that is no whole post of this forum.")
    return Post(**told, sentences=tuple(sentences))
