"""The checker of histories: it lets good ones pass and finds what is wrong with bad ones."""

import random
import unittest

import history
from harness import main
from history import BACKWARDS, EXCLUSIVE, Operation, PHANTOM, STALE, Barrier, check


def change(key, session, called, returned, effect, mark=None):
    return Operation(key, session, f"change {mark or ''}", called, effect, changes=True, returned=returned or float("inf"), mark=mark)


def look(key, session, called, returned, effect, seen=()):
    return Operation(key, session, "look", called, effect, returned=returned, own_copy=True, seen=seen)


def refusal(key, session, called, returned, effect):
    return Operation(key, session, "refused", called, effect, returned=returned)


def judge(*events):
    return check(list(events), lambda key: "" if key.startswith("label") else ())


class Checker(unittest.TestCase):
    def right(self, *events):
        self.assertEqual([str(v) for v in judge(*events).violations], [])

    def wrong(self, kind, *events):
        found = judge(*events).violations
        self.assertEqual([v.kind for v in found], [kind], [str(v) for v in found])
        return found[0]

    def test_a_lost_label(self):
        loaded = change("label 1", "a", 1, 2, history.load("a1"), "a1")
        self.right(loaded, Barrier("b", 3), look("label 1", "b", 3, 4, history.loaded_by("a1")))
        self.wrong(STALE, loaded, Barrier("b", 3), look("label 1", "b", 3, 4, history.loaded_by("")))
        # Seen by its own session, and gone again.
        self.wrong(BACKWARDS, loaded, look("label 1", "a", 3, 4, history.loaded_by("")))

    def test_a_label_twice(self):
        one, two = change("label 1", "a", 1, 4, history.load("a1"), "a1"), change("label 1", "b", 2, 3, history.load("b1"), "b1")
        self.wrong(EXCLUSIVE, one, two)
        self.right(one, change("label 1", "b", 2, None, history.load("b1"), "b1"), look("label 1", "c", 5, 6, history.loaded_by("a1")))
        self.right(one, refusal("label 1", "b", 2, 3, history.finished(True)))
        # Rows of both.
        self.wrong(PHANTOM, one, look("label 1", "c", 5, 6, history.loaded_by(("a1", "b1"))))

    def test_a_future_seen(self):
        self.wrong(PHANTOM, change("label 1", "a", 4, 5, history.load("a1"), "a1"), refusal("label 1", "b", 2, 3, history.finished(True)))

    def test_stale_reads(self):
        made = change("f", "a", 1, 2, history.create("t", "k"), "k")
        # A frontend's own copy may be old; not after SYNC, nor may what the leader says.
        self.right(made, look("f", "b", 3, 4, history.shows("t", None)), look("f", "b", 5, 6, history.shows("t", ("k",)), ("k",)))
        self.wrong(STALE, made, Barrier("b", 3), look("f", "b", 4, 5, history.shows("t", None)))
        self.wrong(STALE, made, refusal("f", "b", 3, 4, history.shows("t", None)))

    def test_reads_of_a_session_go_on(self):
        made, wide = change("f", "a", 1, 2, history.create("t", "k"), "k"), change("f", "a", 3, 4, history.add_column("t", "x"), "x")
        old, new, none = history.shows("t", ("k",)), history.shows("t", ("k", "x")), history.shows("t", None)
        self.right(made, wide, look("f", "b", 5, 6, none), look("f", "b", 7, 8, old, ("k",)), look("f", "b", 9, 10, new, ("k", "x")))
        self.right(made, wide, look("f", "b", 5, 6, new, ("k", "x")), look("f", "c", 7, 8, old, ("k",)))
        self.wrong(BACKWARDS, made, wide, look("f", "b", 5, 6, new, ("k", "x")), look("f", "b", 7, 8, old, ("k",)))
        # Also when nobody knows whether the change was made: it was seen.
        maybe = change("f", "a", 3, None, history.add_column("t", "x"), "x")
        self.right(made, maybe, look("f", "b", 5, 6, old, ("k",)), look("f", "b", 7, 8, new, ("k", "x")))
        self.wrong(BACKWARDS, made, maybe, look("f", "b", 5, 6, new, ("k", "x")), look("f", "b", 7, 8, old, ("k",)))

    def test_a_session_sees_its_own_writes(self):
        made = change("f", "a", 1, 2, history.create("t", "k"), "k")
        self.wrong(BACKWARDS, made, look("f", "a", 3, 4, history.shows("t", None)))
        self.right(made, look("f", "b", 3, 4, history.shows("t", None)))

    def test_reads_of_several_objects_are_of_one_history(self):
        # Whoever sees the second change sees what was acknowledged before it was asked for.
        first, second = change("f", "a", 1, 2, history.create("t", "k"), "k"), change("g", "b", 3, 4, history.create("u", "m"), "m")
        self.right(first, second, look("f", "c", 5, 6, history.shows("t", None)), look("g", "c", 7, 8, history.shows("u", ("m",)), ("m",)))
        self.wrong(BACKWARDS, first, second, look("g", "c", 5, 6, history.shows("u", ("m",)), ("m",)), look("f", "c", 7, 8, history.shows("t", None)))

    def test_a_table_that_was_acknowledged_is_missing(self):
        made = change("f", "a", 1, 2, history.create("t", "k"), "k")
        gone = change("f", "b", 3, 4, history.drop("t"))
        again = change("f", "b", 5, 6, history.create("t", "m"), "m")
        self.right(made, gone, again)
        # Made while it is there.
        self.wrong(EXCLUSIVE, made, again)
        # Dropped by two.
        self.wrong(EXCLUSIVE, made, gone, change("f", "c", 3, 4, history.drop("t")))
        self.wrong(STALE, made, refusal("f", "c", 3, 4, history.shows("t", None)))

    def test_what_was_refused_is_not_seen(self):
        # Refused changes are no part of the history.
        self.wrong(PHANTOM, look("f", "b", 3, 4, history.shows("t", ("k",)), ("k",)))
        self.right(change("f", "a", 1, None, history.create("t", "k"), "k"), look("f", "b", 3, 4, history.shows("t", ("k",)), ("k",)))

    def test_an_unknown_outcome_may_come_late(self):
        maybe = change("f", "a", 1, None, history.create("t", "k"), "k")
        before, after = look("f", "b", 90, 91, history.shows("t", None)), look("f", "b", 95, 96, history.shows("t", ("k",)), ("k",))
        self.right(maybe, before, after)
        self.right(maybe, before)
        self.wrong(BACKWARDS, maybe, after, look("f", "b", 97, 98, history.shows("t", None)))

    def test_renames_and_lists(self):
        made = change("f", "a", 1, 2, history.create("t", "k"), "k")
        renamed = change("f", "a", 3, 5, history.rename("t", "u"))
        self.right(made, renamed, look("f", "b", 4, 4.5, history.lists(["u"])), refusal("f", "c", 6, 7, history.shows("t", None)))
        # Both names at once.
        self.wrong(PHANTOM, made, renamed, look("f", "b", 4, 4.5, history.lists(["t", "u"])))
        self.wrong(STALE, made, renamed, refusal("f", "c", 6, 7, history.exists("t")))

    def test_what_it_shows_is_short(self):
        events = []
        for i in range(40):
            events.append(change("f", "a", 10 * i, 10 * i + 1, history.create("t", f"c{i}"), f"c{i}"))
            events.append(look("f", "b", 10 * i + 2, 10 * i + 3, history.shows("t", (f"c{i}",)), (f"c{i}",)))
            events.append(change("f", "a", 10 * i + 4, 10 * i + 5, history.drop("t")))
        self.right(*events)
        events.insert(20, look("f", "b", 61, 61.5, history.shows("t", ("c2",)), ("c2",)))
        found = self.wrong(BACKWARDS, *events)
        self.assertLess(len(found.operations), 18)
        # The session had seen later columns, made at 60: that look is in the other's "not before".
        self.assertEqual(len([op for op in found.operations if not op.changes]), 1, str(found))

    def test_random_histories_of_a_real_object(self):
        """Histories of an object that does what it should pass; one answer exchanged is found."""
        rng = random.Random(7)
        found = 0
        for _ in range(20):
            events, versions = simulated(rng)
            self.right(*events)
            looks = [i for i, e in enumerate(events) if not e.changes and e.session != "maybe"]
            i = rng.choice(looks)
            wrong = [v for v in versions + [("never",)] if events[i].effect(dict_state(v)) is None]
            events[i].effect = history.shows("t", wrong[-1])
            found += len(judge(*events).violations)
        self.assertEqual(found, 20)


def dict_state(columns):
    return () if columns is None else (("t", columns),)


def simulated(rng):
    """Calls that overlap, on one name; each takes effect somewhere in between. Looks see versions one after the other."""
    state, versions, events, now = (), [None], [], 0.0
    at = {"x": 0, "y": 0}
    for i in range(60):
        now += 1
        begin, end = now - rng.random() * 3, now + rng.random() * 3
        kind = rng.random()
        if kind < 0.5:
            columns = history.tables(state).get("t")
            what = history.create("t", f"c{i}") if columns is None else history.drop("t") if rng.random() < 0.5 else history.add_column("t", f"a{i}")
            state = what(state)
            versions.append(history.tables(state).get("t"))
            answered = None if rng.random() < 0.15 else end
            events.append(change("f", f"w{i}", begin, answered, what, f"m{i}"))
        else:
            session = rng.choice(list(at))
            at[session] = rng.randint(at[session], len(versions) - 1)
            events.append(look("f", session, now, now + 0.1, history.shows("t", versions[at[session]])))
    return events, versions


if __name__ == "__main__":
    main()
