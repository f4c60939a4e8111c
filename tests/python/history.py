"""Histories of what clients asked and were told, and whether a cluster that keeps its word could have given those answers.

An object (a family of table names, a label) has a state; changes replace it, looks say what it was. A history is right when there is
an order of the changes of each object in which every acknowledged change took effect at one moment between call and answer, every
change whose outcome is unknown at one moment after its call or never, every refused one never, and every look fits: one that the
leader answers (a refusal, a read after SYNC) at one moment between call and answer; one of a frontend's own copy at any moment that
is no older than what its session had seen or written before, on any object (sequential consistency).

The search is Wing's and Gong's with Lowe's memory, per object. Looks take effect as early as they can: an order that is right with a
later one is right with the earlier one too, so that only changes are tried in several orders.
"""

import dataclasses
import math
from typing import Callable, Optional

# States visited before an object is given up as undecided.
STEPS_MAX = 400_000

BACKWARDS = "a session went back: it saw less than before, or not what it had written itself"
STALE = "an acknowledged change is missing: lost, or a stale answer"
EXCLUSIVE = "acknowledged changes exclude each other"
PHANTOM = "something was seen that was refused, came twice or never was"


@dataclasses.dataclass(slots=True)
class Operation:
    """One call. `effect` gives the state afterwards, None when the operation cannot be there."""

    key: str
    session: str
    text: str
    called: float
    effect: Callable
    changes: bool = False
    # Infinity: the outcome is unknown.
    returned: float = math.inf
    # A look at the frontend's own copy.
    own_copy: bool = False
    # The change this is, and the changes a look has seen.
    mark: Optional[str] = None
    seen: tuple = ()
    answer: str = ""
    # Set by `place`: since when, and since when by the session's SYNC alone.
    earliest: float = -math.inf
    asked: float = -math.inf
    number: int = -1

    @property
    def known(self):
        return self.returned != math.inf

    def __str__(self):
        until = f"{self.returned:9.3f}" if self.known else "        ?"
        since = f" (not before {self.earliest:.3f})" if self.own_copy and self.earliest > -math.inf else ""
        return f"{self.called:9.3f} .. {until}  {self.session:<14} {self.text} -> {self.answer or ('ok' if self.known else 'unknown')}{since}"


@dataclasses.dataclass
class Barrier:
    """A session that asked for everything acknowledged before (SYNC) and was told so."""

    session: str
    called: float


@dataclasses.dataclass
class Violation:
    key: str
    kind: str
    operations: list

    def __str__(self):
        return "\n".join([f"{self.key}: {self.kind}"] + [f"  {op}" for op in self.operations])


def place(events):
    """Numbers the operations and says from when on each may have taken effect; `events` are in the order of each session."""
    written = {op.mark: op.called for op in events if isinstance(op, Operation) and op.mark}
    floors, asked = {}, {}
    operations = []
    for number, event in enumerate(events):
        floor = floors.get(event.session, -math.inf)
        if isinstance(event, Barrier):
            floors[event.session] = max(floor, event.called)
            asked[event.session] = event.called
            continue
        event.number = number
        event.asked = asked.get(event.session, -math.inf) if event.own_copy else event.called
        event.earliest = floor if event.own_copy else event.called
        if event.known:
            # The copy of this frontend held at that moment all that was acknowledged before the seen change was called.
            seen = [written[mark] for mark in event.seen if mark in written]
            floors[event.session] = max([floor, *seen] if event.own_copy else [floor, event.called])
        operations.append(event)
    return operations


def by_key(operations):
    objects = {}
    for op in operations:
        objects.setdefault(op.key, []).append(op)
    return objects


class Undecided(Exception):
    pass


class Search:
    """Looks for a right order of one object's operations."""

    def __init__(self, operations, initial, sessions=True, times=True, looks=True):
        """Without `sessions` they may go back, without `times` looks may be old, without `looks` there are changes only."""
        # Those that must be there first, in the order of their answers: such an order is mostly right.
        self.ops = sorted((op for op in operations if op.changes or op.known and looks), key=lambda op: (op.returned, op.called))
        self.initial = initial
        self.before = [0] * len(self.ops)
        for j, later in enumerate(self.ops):
            earliest = later.earliest if later.changes or times and sessions else later.asked if times else -math.inf
            for i, op in enumerate(self.ops):
                in_session = sessions and op.session == later.session and op.number < later.number
                if op.known and (op.returned < earliest or in_session):
                    self.before[j] |= 1 << i
        self.needed = sum(1 << i for i, op in enumerate(self.ops) if op.known)
        self.steps = 0

    def look(self, done, state):
        """All looks that fit take effect."""
        again = True
        while again:
            again = False
            for i, op in enumerate(self.ops):
                if not op.changes and not done >> i & 1 and not self.before[i] & ~done and op.effect(state) is not None:
                    done |= 1 << i
                    again = True
        return done

    def found(self):
        """Whether there is a right order."""
        stack = [(self.look(0, self.initial), self.initial)]
        visited = set(stack)
        while stack:
            done, state = stack.pop()
            self.steps += 1
            if self.steps > STEPS_MAX:
                raise Undecided()
            if not self.needed & ~done:
                return True
            # The last one pushed is tried first.
            for i in range(len(self.ops) - 1, -1, -1):
                op = self.ops[i]
                if not op.changes or done >> i & 1 or self.before[i] & ~done:
                    continue
                after = op.effect(state)
                if after is None:
                    continue
                following = (self.look(done | 1 << i, after), after)
                if following not in visited:
                    visited.add(following)
                    stack.append(following)
        return False


def right(operations, initial, **options):
    return Search(operations, initial, **options).found()


def until(operations, moment):
    """What was known at a moment: a history that is right has only right beginnings."""
    for op in operations:
        if op.called <= moment:
            if op.returned <= moment:
                yield op
            elif op.changes:
                yield dataclasses.replace(op, returned=math.inf, answer="")


def minimal(operations, initial):
    """The shortest beginning that is wrong, without the looks it is wrong without."""
    moments = sorted(op.returned for op in operations if op.known)
    low, high = 0, len(moments) - 1
    while low < high:
        middle = (low + high) // 2
        if right(until(operations, moments[middle]), initial):
            low = middle + 1
        else:
            high = middle
    found = list(until(operations, moments[high]))
    for op in sorted(found, key=lambda op: op.returned):
        rest = [other for other in found if other is not op]
        if not op.changes and not right(rest, initial):
            found = rest
    return sorted(found, key=lambda op: op.called)


def kind_of(operations, initial):
    """What is wrong, by what makes it right."""
    if not right(operations, initial, looks=False):
        return EXCLUSIVE
    if right(operations, initial, sessions=False):
        return BACKWARDS
    if right(operations, initial, sessions=False, times=False):
        return STALE
    return PHANTOM


@dataclasses.dataclass
class Verdict:
    violations: list
    undecided: list
    objects: int = 0
    steps: int = 0


def check(events, initial_of):
    """Judges a history; `initial_of(key)` is the state an object begins with."""
    verdict = Verdict([], [])
    for key, operations in sorted(by_key(place(events)).items()):
        initial = initial_of(key)
        search = Search(operations, initial)
        verdict.objects += 1
        try:
            fine = search.found()
            verdict.steps += search.steps
            if not fine:
                operations = minimal(operations, initial)
                verdict.violations.append(Violation(key, kind_of(operations, initial), operations))
        except Undecided:
            verdict.undecided.append(key)
    return verdict


# ---- a family of table names: the state is the tables by name, sorted, each with its columns


def tables(state):
    return dict(state)


def frozen(found):
    return tuple(sorted(found.items()))


def create(name, *columns):
    def effect(state):
        return None if name in tables(state) else frozen(tables(state) | {name: columns})

    return effect


def drop(name):
    def effect(state):
        return frozen({n: c for n, c in state if n != name}) if name in tables(state) else None

    return effect


def rename(name, to):
    def effect(state):
        found = tables(state)
        if name not in found or to in found:
            return None
        found[to] = found.pop(name)
        return frozen(found)

    return effect


def add_column(name, column):
    def effect(state):
        found = tables(state)
        if name not in found:
            return None
        return frozen(found | {name: found[name] + (column,)})

    return effect


def shows(name, columns):
    """A table with these columns, None for no such table."""
    return lambda state: state if tables(state).get(name) == columns else None


def exists(name):
    return lambda state: state if name in tables(state) else None


def lists(names):
    return lambda state: state if sorted(tables(state)) == sorted(names) else None


# ---- a label: the state is the attempt whose rows are visible; empty text before


def load(attempt):
    return lambda state: attempt if state == "" else None


def loaded_by(attempt):
    """The rows of one attempt, all and once; empty text for none. What is neither fits no state."""
    return lambda state: state if state == attempt else None


def finished(is_so):
    """What is said of the label: it is loaded, or not."""
    return lambda state: state if (state != "") == is_so else None
