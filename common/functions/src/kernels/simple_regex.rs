//! A backtracking matcher for the plain patterns most queries use: literals, character classes, `* + ?` on single characters,
//! optional groups, alternatives, captures, `^` and `$`. Same answers as the full engine (first alternative first), a tenth of
//! its time when captures are wanted. Everything else is refused at compile time; a match that takes too many steps is given up
//! at run time, and the caller asks the full engine.
//!
//! Characters beyond ASCII belong to a class all together or not at all, so classes are tables over bytes.

use memchr::memmem::Finder;

use super::utf8::char_width;

/// Steps after which a match is given up.
const STEPS_MAX: u32 = 20_000;
/// Most captures, the whole match included.
const GROUPS_MAX: usize = 16;
/// A capture slot that was not reached.
const UNSET: usize = usize::MAX;

/// Bytes a character may start with.
type Set = Box<[bool; 256]>;

enum Inst {
    Literal(Vec<u8>),
    One(Set),
    /// As many characters of the set as possible (or as few, when lazy), at least `min`. A possessive run never gives back.
    Run {
        set: Set,
        min: usize,
        lazy: bool,
        possessive: bool,
    },
    /// Everything that is left.
    Rest,
    /// Try the first, then the second.
    Split(usize, usize),
    Jump(usize),
    Save(usize),
    Start,
    End,
    Match,
}

/// Where the groups of a match start and end.
pub struct Slots([usize; 2 * GROUPS_MAX]);

impl Default for Slots {
    fn default() -> Self {
        Self([UNSET; 2 * GROUPS_MAX])
    }
}

impl Slots {
    /// Byte range of a group that took part in the match.
    #[inline]
    pub fn get(&self, group: usize) -> Option<(usize, usize)> {
        let (start, end) = (*self.0.get(2 * group)?, *self.0.get(2 * group + 1)?);
        (start != UNSET && end != UNSET).then_some((start, end))
    }

    /// Sets a group, for the full engine.
    pub fn set(&mut self, group: usize, range: Option<(usize, usize)>) {
        let (start, end) = range.unwrap_or((UNSET, UNSET));
        if let Some(slots) = self.0.get_mut(2 * group..2 * group + 2) {
            slots.copy_from_slice(&[start, end]);
        }
    }
}

/// The outcome of a search.
pub enum Outcome {
    Found,
    Missing,
    /// Too many steps: nothing is known.
    GaveUp,
}

/// A compiled plain pattern.
pub struct SimpleRegex {
    program: Vec<Inst>,
    groups: usize,
    anchored: bool,
    /// Every match starts with these bytes.
    prefix: Option<Finder<'static>>,
}

impl SimpleRegex {
    /// Compiles a pattern (RE2 syntax, `.` matches newline); `None` when it is not plain.
    pub fn new(pattern: &str) -> Option<Self> {
        let mut compiler = Compiler { rest: pattern.as_bytes(), program: Vec::new(), groups: 1, depth: 0 };
        compiler.alternatives()?;
        if !compiler.rest.is_empty() || compiler.groups > GROUPS_MAX {
            return None;
        }
        compiler.program.push(Inst::Match);
        let (mut program, groups) = (compiler.program, compiler.groups);
        for at in 0..program.len() {
            if let Inst::Run { set, lazy: false, .. } = &program[at]
                && must_leave(&program, at + 1, set)
                && let Inst::Run { possessive, .. } = &mut program[at]
            {
                *possessive = true;
            }
            if matches!(&program[at], Inst::Run { set, min: 0, possessive: true, .. } if set.iter().all(|b| *b)) {
                program[at] = Inst::Rest;
            }
        }
        let anchored = matches!(program.first(), Some(Inst::Start));
        let prefix = match program.first() {
            Some(Inst::Literal(bytes)) => Some(Finder::new(bytes).into_owned()),
            _ => None,
        };
        // Without a place to start from, the full engine's search is the better one.
        (anchored || prefix.is_some()).then_some(Self { program, groups, anchored, prefix })
    }

    /// The first match at or after `from`; its groups go to `slots`.
    pub fn search(&self, s: &[u8], from: usize, slots: &mut Slots) -> Outcome {
        let mut steps = 0;
        let mut start = from;
        loop {
            if self.anchored && start > 0 {
                return Outcome::Missing;
            }
            if let Some(prefix) = &self.prefix {
                match prefix.find(&s[start..]) {
                    Some(at) => start += at,
                    None => return Outcome::Missing,
                }
            }
            slots.0[..2 * self.groups].fill(UNSET);
            let mut run = Search { program: &self.program, s, slots, steps: &mut steps };
            if let Some(end) = run.go(0, start) {
                slots.0[..2].copy_from_slice(&[start, end]);
                return Outcome::Found;
            }
            if steps >= STEPS_MAX {
                return Outcome::GaveUp;
            }
            if self.anchored || start >= s.len() {
                return Outcome::Missing;
            }
            start += 1;
        }
    }
}

/// Whether what follows can only go on with a character outside the set (or at the end): then a shorter run never helps.
fn must_leave(program: &[Inst], mut at: usize, set: &[bool; 256]) -> bool {
    loop {
        match &program[at] {
            Inst::Save(_) => at += 1,
            Inst::Jump(to) => at = *to,
            Inst::Literal(bytes) => return !set[usize::from(bytes[0])],
            Inst::One(other) | Inst::Run { set: other, min: 1.., .. } => {
                return !set.iter().zip(other.iter()).any(|(a, b)| *a && *b);
            }
            // Greedy to the very end of the pattern: the longest run is the answer.
            Inst::End | Inst::Match => return true,
            _ => return false,
        }
    }
}

struct Search<'a> {
    program: &'a [Inst],
    s: &'a [u8],
    slots: &'a mut Slots,
    steps: &'a mut u32,
}

impl Search<'_> {
    /// End of the match that continues at an instruction and a position.
    fn go(&mut self, mut at: usize, mut pos: usize) -> Option<usize> {
        loop {
            *self.steps += 1;
            if *self.steps >= STEPS_MAX {
                return None;
            }
            match &self.program[at] {
                Inst::Literal(bytes) => {
                    if !self.s[pos..].starts_with(bytes) {
                        return None;
                    }
                    pos += bytes.len();
                }
                Inst::One(set) => {
                    let lead = *self.s.get(pos)?;
                    if !set[usize::from(lead)] {
                        return None;
                    }
                    pos = (pos + char_width(lead)).min(self.s.len());
                }
                Inst::Run { set, min, lazy, possessive } => {
                    let mut first = pos;
                    for _ in 0..*min {
                        let lead = *self.s.get(first)?;
                        if !set[usize::from(lead)] {
                            return None;
                        }
                        first = (first + char_width(lead)).min(self.s.len());
                    }
                    if *lazy {
                        loop {
                            if let Some(end) = self.go(at + 1, first) {
                                return Some(end);
                            }
                            let lead = *self.s.get(first)?;
                            if !set[usize::from(lead)] || *self.steps >= STEPS_MAX {
                                return None;
                            }
                            first = (first + char_width(lead)).min(self.s.len());
                        }
                    }
                    let mut last = first + self.s[first..].iter().take_while(|b| set[usize::from(**b)]).count();
                    if !*possessive {
                        while last > first {
                            if let Some(end) = self.go(at + 1, last) {
                                return Some(end);
                            }
                            if *self.steps >= STEPS_MAX {
                                return None;
                            }
                            last -= 1;
                            while last > first && (self.s[last] as i8) < -0x40 {
                                last -= 1;
                            }
                        }
                    }
                    pos = last;
                }
                Inst::Rest => pos = self.s.len(),
                Inst::Split(first, second) => {
                    if let Some(end) = self.go(*first, pos) {
                        return Some(end);
                    }
                    at = *second;
                    continue;
                }
                Inst::Jump(to) => {
                    at = *to;
                    continue;
                }
                Inst::Save(slot) => {
                    let before = std::mem::replace(&mut self.slots.0[*slot], pos);
                    let end = self.go(at + 1, pos);
                    if end.is_none() {
                        self.slots.0[*slot] = before;
                    }
                    return end;
                }
                Inst::Start if pos > 0 => return None,
                Inst::End if pos < self.s.len() => return None,
                Inst::Start | Inst::End => {}
                Inst::Match => return Some(pos),
            }
            at += 1;
        }
    }
}

struct Compiler<'a> {
    rest: &'a [u8],
    program: Vec<Inst>,
    groups: usize,
    depth: usize,
}

impl Compiler<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// `a|b|c`, up to `)` or the end.
    fn alternatives(&mut self) -> Option<()> {
        let mut jumps = Vec::new();
        loop {
            let start = self.program.len();
            self.sequence()?;
            if !self.eat(b"|") {
                break;
            }
            // Split before this alternative, jump behind it.
            self.insert_split(start, self.program.len() + 2);
            jumps.push(self.program.len());
            self.program.push(Inst::Jump(0));
        }
        let end = self.program.len();
        for at in jumps {
            self.program[at] = Inst::Jump(end);
        }
        Some(())
    }

    /// Puts a split before the instructions from `start` on; they move by one.
    fn insert_split(&mut self, start: usize, otherwise: usize) {
        for inst in &mut self.program[start..] {
            match inst {
                Inst::Split(a, b) => {
                    *a += 1;
                    *b += 1;
                }
                Inst::Jump(to) => *to += 1,
                _ => {}
            }
        }
        self.program.insert(start, Inst::Split(start + 1, otherwise));
    }

    fn sequence(&mut self) -> Option<()> {
        let mut literal: Vec<u8> = Vec::new();
        while let Some(byte) = self.peek() {
            if matches!(byte, b'|' | b')') {
                break;
            }
            let atom = self.atom()?;
            let quantifier = self.quantifier()?;
            if let (Atom::Byte(b), None) = (&atom, &quantifier) {
                literal.push(*b);
                continue;
            }
            if !literal.is_empty() {
                self.program.push(Inst::Literal(std::mem::take(&mut literal)));
            }
            self.emit(atom, quantifier)?;
        }
        if !literal.is_empty() {
            self.program.push(Inst::Literal(literal));
        }
        Some(())
    }

    fn emit(&mut self, atom: Atom, quantifier: Option<Quantifier>) -> Option<()> {
        let start = self.program.len();
        match (atom, quantifier) {
            (Atom::Start, None) => self.program.push(Inst::Start),
            (Atom::End, None) => self.program.push(Inst::End),
            (Atom::Set(set), None) => self.program.push(Inst::One(set)),
            (Atom::Group(group), None) => {
                if let Some(group) = group {
                    self.program.push(Inst::Save(2 * group));
                }
                self.depth += 1;
                if self.depth > 16 {
                    return None;
                }
                self.alternatives()?;
                self.depth -= 1;
                if let Some(group) = group {
                    self.program.push(Inst::Save(2 * group + 1));
                }
                if !self.eat(b")") {
                    return None;
                }
                // The quantifier of a group stands behind it.
                match self.quantifier()? {
                    None => {}
                    Some(Quantifier { min: 0, one: true, lazy }) => self.make_optional(start, lazy),
                    Some(_) => return None,
                }
            }
            (atom @ (Atom::Byte(_) | Atom::Set(_)), Some(Quantifier { min, one, lazy })) => {
                let set = match atom {
                    Atom::Byte(b) => {
                        let mut set = Box::new([false; 256]);
                        set[usize::from(b)] = true;
                        set
                    }
                    Atom::Set(set) => set,
                    _ => return None,
                };
                if one {
                    self.program.push(Inst::One(set));
                    self.make_optional(start, lazy);
                } else {
                    self.program.push(Inst::Run { set, min, lazy, possessive: false });
                }
            }
            (Atom::Byte(_), None) | (Atom::Start | Atom::End | Atom::Group(_), Some(_)) => return None,
        }
        Some(())
    }

    fn make_optional(&mut self, start: usize, lazy: bool) {
        self.insert_split(start, self.program.len() + 1);
        if lazy && let Inst::Split(a, b) = &mut self.program[start] {
            std::mem::swap(a, b);
        }
    }

    /// `*`, `+`, `?` and their lazy forms; counted repetition is not plain.
    fn quantifier(&mut self) -> Option<Option<Quantifier>> {
        let (min, one) = match self.peek() {
            Some(b'*') => (0, false),
            Some(b'+') => (1, false),
            Some(b'?') => (0, true),
            Some(b'{') => return None,
            _ => return Some(None),
        };
        self.rest = &self.rest[1..];
        let lazy = self.eat(b"?");
        // A quantifier behind a quantifier is the full engine's business.
        if matches!(self.peek(), Some(b'*' | b'+' | b'?' | b'{')) {
            return None;
        }
        Some(Some(Quantifier { min, one, lazy }))
    }

    fn atom(&mut self) -> Option<Atom> {
        let byte = self.peek()?;
        self.rest = &self.rest[1..];
        Some(match byte {
            b'^' => Atom::Start,
            b'$' => Atom::End,
            b'.' => Atom::Set(Box::new([true; 256])),
            b'[' => Atom::Set(self.class()?),
            b'\\' => self.escape()?,
            b'(' => {
                if self.eat(b"?:") {
                    Atom::Group(None)
                } else if self.peek() == Some(b'?') {
                    return None;
                } else {
                    self.groups += 1;
                    if self.groups > GROUPS_MAX {
                        return None;
                    }
                    Atom::Group(Some(self.groups - 1))
                }
            }
            b'*' | b'+' | b'?' | b'{' | b'}' | b']' => return None,
            // Part of a longer character: fine as literal bytes, not before a quantifier.
            0x80.. if matches!(self.peek(), Some(b'*' | b'+' | b'?' | b'{')) => return None,
            other => Atom::Byte(other),
        })
    }

    fn escape(&mut self) -> Option<Atom> {
        let byte = self.peek()?;
        self.rest = &self.rest[1..];
        Some(match byte {
            b'd' | b'w' | b's' => Atom::Set(shorthand(byte)?),
            b'D' | b'W' | b'S' => {
                let mut set = shorthand(byte.to_ascii_lowercase())?;
                set.iter_mut().for_each(|b| *b = !*b);
                Atom::Set(set)
            }
            b'n' => Atom::Byte(b'\n'),
            b't' => Atom::Byte(b'\t'),
            b'r' => Atom::Byte(b'\r'),
            punctuation if punctuation.is_ascii_punctuation() => Atom::Byte(punctuation),
            _ => return None,
        })
    }

    /// The inside of `[…]`, ASCII members only.
    fn class(&mut self) -> Option<Set> {
        let negated = self.eat(b"^");
        let mut set = Box::new([false; 256]);
        let mut first = true;
        loop {
            let byte = self.peek()?;
            self.rest = &self.rest[1..];
            let low = match byte {
                b']' if !first => break,
                b'[' | 0x80.. => return None,
                b'\\' => match self.escape()? {
                    Atom::Byte(b) => b,
                    Atom::Set(members) => {
                        // A negated shorthand also has the characters beyond ASCII, which only a whole class can.
                        set.iter_mut().zip(members.iter()).for_each(|(a, b)| *a |= b);
                        first = false;
                        continue;
                    }
                    _ => return None,
                },
                other => other,
            };
            first = false;
            let mut high = low;
            if self.peek() == Some(b'-') && self.rest.get(1).is_some_and(|b| *b != b']') {
                self.rest = &self.rest[1..];
                high = self.peek()?;
                self.rest = &self.rest[1..];
                if high == b'\\' {
                    let Atom::Byte(b) = self.escape()? else { return None };
                    high = b;
                }
                if high >= 0x80 || high == b'[' || high < low {
                    return None;
                }
            }
            set[usize::from(low)..=usize::from(high)].fill(true);
        }
        if negated {
            set.iter_mut().for_each(|b| *b = !*b);
        }
        Some(set)
    }
}

struct Quantifier {
    min: usize,
    /// At most one.
    one: bool,
    lazy: bool,
}

enum Atom {
    Byte(u8),
    Set(Set),
    Start,
    End,
    Group(Option<usize>),
}

/// ASCII digits, word characters, white space.
fn shorthand(name: u8) -> Option<Set> {
    let mut set = Box::new([false; 256]);
    for (byte, member) in (0u8..128).zip(set.iter_mut()) {
        *member = match name {
            b'd' => byte.is_ascii_digit(),
            b'w' => byte.is_ascii_alphanumeric() || byte == b'_',
            b's' => matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' '),
            _ => return None,
        };
    }
    Some(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every answer must be that of the full engine.
    #[test]
    fn agrees_with_the_full_engine() {
        let patterns = [
            r"^https?://(?:www\.)?([^/]+)/.*$",
            r"page\.([a-z]+)",
            r"^(a|ab)(c|bcd)?(d*)$",
            r"a(b|bc)(c?)",
            r"x+?(y*)",
            r"^([^=]*)=(.*)$",
            r"key=([^&]+)&?(z)?",
            r"^(\w+)\s(\d+)",
            r"^.*中(.)",
            r"ab|cd(e)",
            r"^(?:a(b)?)?c",
            r"^[\D]+",
            r"a.c",
        ];
        let texts = [
            "https://www.example.com/path/x?y",
            "http://a/",
            "http://www./",
            "https://nohost",
            "xpage.pagepage.html",
            "abcd",
            "abbcd",
            "acd",
            "xxxyyy",
            "a=b=c",
            "&key=12&zz",
            "word 42 x",
            "文中字a中文",
            "cdeab",
            "ac",
            "abc",
            "a中c",
            "",
        ];
        for pattern in patterns {
            let simple = SimpleRegex::new(pattern);
            let full = regex::bytes::RegexBuilder::new(pattern).dot_matches_new_line(true).build().unwrap();
            let Some(simple) = simple else {
                assert!(matches!(pattern, r"ab|cd(e)" | r"x+?(y*)"), "{pattern} is plain");
                continue;
            };
            for text in texts {
                let mut slots = Slots::default();
                let found = matches!(simple.search(text.as_bytes(), 0, &mut slots), Outcome::Found);
                let want = full.captures(text.as_bytes());
                assert_eq!(found, want.is_some(), "{pattern} on {text}");
                if let Some(want) = want {
                    for group in 0..want.len() {
                        assert_eq!(
                            slots.get(group),
                            want.get(group).map(|m| (m.start(), m.end())),
                            "{pattern} on {text}, group {group}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn refuses_and_gives_up() {
        for pattern in ["(a*)*", "a{2}", "(?i)a", r"\bword", "[[:alpha:]]", "a**", "(a", "a)", "[z-a]", "é?"] {
            assert!(SimpleRegex::new(&format!("^{pattern}")).is_none(), "{pattern}");
        }
        let slow = SimpleRegex::new("^.*a.*a.*a.*a.*b").unwrap();
        assert!(matches!(slow.search("a".repeat(200).as_bytes(), 0, &mut Slots::default()), Outcome::GaveUp));
    }
}
