"""Names for runs that nobody named: easy to say, to tell apart and to search for."""

from __future__ import annotations

import random

_FIRST_WORDS = """
amber agile airy ample azure bold brave breezy bright brisk calm candid cedar civil clear clever coral cosy
crisp dapper daring deft early eager earnest easy fair fleet fond fresh gentle glad golden grand green happy
hardy hazel humble ivory jolly keen kind lively lofty lucid lucky mellow merry mild mossy neat nimble noble
opal patient plain polite proud quick quiet rapid ready robust rosy rustic sage sandy serene sharp silver
sleek smooth snowy solar spry stable steady still stout subtle sunny sure swift tidy tranquil true velvet
vivid warm wise witty young zesty
"""
_SECOND_WORDS = """
acorn alder aspen badger bay beacon beech birch bison brook canyon cedar cliff cloud comet coral cove crane
creek cypress dale dawn delta dune eagle elm ember falcon fern field finch fjord forest fox garden glacier
glade grove gull harbor hare hawk heath heron hill ibis iris island jay juniper kestrel lagoon lake lark
laurel linden lotus lynx maple marsh marten meadow mesa moon moor moss oak ocean olive orchid osprey otter owl
peak pebble pine plover pond prairie quail raven reef ridge river robin rowan sage seal shore sparrow spring
spruce star stone stork summit swan tern thicket thistle tide trail valley vista willow wind wren yarrow
"""
_FIRST, _SECOND = _FIRST_WORDS.split(), _SECOND_WORDS.split()


def new_name() -> str:
    """A readable name such as `calm-heron-481`; not unique."""
    chance = random.SystemRandom()  # a seed that the training sets must not give all runs one name
    return f"{chance.choice(_FIRST)}-{chance.choice(_SECOND)}-{chance.randrange(1000)}"
