import random
import re

from lineal.client.run_name import new_name


def test_a_name_is_readable_and_a_name_to_every_part_of_lineal():
    for _ in range(100):
        assert re.fullmatch(r"[a-z]{2,12}-[a-z]{2,12}-[0-9]{1,3}", new_name())


def test_a_seed_that_the_training_sets_does_not_make_all_names_one():
    names = set()
    for _ in range(10):
        random.seed(0)
        names.add(new_name())
    assert len(names) > 5
