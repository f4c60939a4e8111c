//! Fast static symbol table: bytes as one-byte codes for substrings of one to eight bytes.
//!
//! After P. Boncz, T. Neumann, V. Leis, "FSST: Fast Random Access String Compression", PVLDB 13(11), 2020. A table is trained on a
//! sample in a few rounds: encode the sample with the table so far, count the symbols and the pairs of neighbours, keep those that
//! cover most bytes. Code 255 announces a byte no symbol covers. The strings of a page are coded as one run of bytes, since pages
//! are always decoded whole: a symbol may span two strings.

use common_base::{Result, ensure};

/// Code that announces a literal byte.
const ESCAPE: u8 = 255;
/// Most symbols of a table.
const MAX_SYMBOLS: usize = 255;
/// Bytes a table is trained on.
const SAMPLE: usize = 16 << 10;
/// Rounds of training, as in the paper.
const ROUNDS: usize = 5;
const HASH_BITS: u32 = 12;

/// A substring; bytes beyond its length are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Symbol {
    bytes: u64,
    len: u8,
}

impl Symbol {
    fn byte(b: u8) -> Self {
        Self { bytes: u64::from(b), len: 1 }
    }

    fn join(self, next: Self) -> Self {
        let len = (self.len + next.len).min(8);
        let bytes = self.bytes | if self.len < 8 { next.bytes << (8 * self.len) } else { 0 };
        Self { bytes: bytes & mask(len), len }
    }
}

/// The low bytes.
fn mask(len: u8) -> u64 {
    if len >= 8 { u64::MAX } else { (1 << (8 * len)) - 1 }
}

fn slot(bytes: u64) -> usize {
    ((bytes & 0xff_ffff).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - HASH_BITS)) as usize
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    bytes: u64,
    mask: u64,
    code: u8,
    len: u8,
}

/// Symbols arranged for encoding: one candidate of three bytes or more by the hash of three, else two bytes, else one.
#[derive(Clone, Debug)]
pub struct Encoder {
    symbols: Vec<Symbol>,
    long: Vec<Entry>,
    /// By two bytes: code and length (`len << 8 | code`), 0 = nothing.
    short: Vec<u16>,
    /// By one byte; the same.
    single: [u16; 256],
}

impl Encoder {
    fn empty() -> Self {
        Self { symbols: Vec::new(), long: vec![Entry::default(); 1 << HASH_BITS], short: vec![0; 1 << 16], single: [0; 256] }
    }

    fn clear(&mut self) {
        for symbol in std::mem::take(&mut self.symbols) {
            match symbol.len {
                1 => self.single[symbol.bytes as usize] = 0,
                2 => self.short[symbol.bytes as usize] = 0,
                _ => self.long[slot(symbol.bytes)] = Entry::default(),
            }
        }
    }

    /// Adds a symbol; false when another one has its place.
    fn add(&mut self, symbol: Symbol) -> bool {
        let code = self.symbols.len() as u8;
        let place = |p: &mut u16| *p == 0 && { *p = u16::from(symbol.len) << 8 | u16::from(code); true };
        let added = match symbol.len {
            1 => place(&mut self.single[symbol.bytes as usize]),
            2 => place(&mut self.short[symbol.bytes as usize]),
            _ => {
                let entry = &mut self.long[slot(symbol.bytes)];
                entry.len == 0 && {
                    *entry = Entry { bytes: symbol.bytes, mask: mask(symbol.len), code, len: symbol.len };
                    true
                }
            }
        };
        if added {
            self.symbols.push(symbol);
        }
        added
    }

    /// Trains a table on strings; `None` when there is too little of them.
    pub fn train<'a>(strings: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut sample = Vec::with_capacity(SAMPLE + 8);
        for s in strings {
            sample.extend_from_slice(&s[..s.len().min(SAMPLE - sample.len())]);
            if sample.len() >= SAMPLE {
                break;
            }
        }
        let len = sample.len();
        if len < 256 {
            return None;
        }
        sample.resize(len + 8, 0);
        let mut encoder = Self::empty();
        let mut counts = Counts::new();
        for round in 0..ROUNDS {
            counts.clear();
            encoder.count(&sample, len, &mut counts);
            encoder.choose(&counts, round + 1 == ROUNDS);
        }
        Some(encoder)
    }

    /// The symbol that covers the front of `word`, of which `left` bytes count; `None` for a literal.
    #[inline(always)]
    fn find(&self, word: u64, left: usize) -> Option<(u8, u8)> {
        let entry = &self.long[slot(word)];
        if entry.len != 0 && word & entry.mask == entry.bytes && usize::from(entry.len) <= left {
            return Some((entry.code, entry.len));
        }
        let pair = self.short[(word & 0xffff) as usize];
        if pair != 0 && left >= 2 {
            return Some((pair as u8, 2));
        }
        let one = self.single[(word & 0xff) as usize];
        (one != 0).then_some((one as u8, 1))
    }

    /// Counts symbols and pairs; literals count as symbols 256 + byte. The slice has eight bytes more than `len`.
    fn count(&self, bytes: &[u8], len: usize, counts: &mut Counts) {
        let (mut at, mut last) = (0, None);
        while at < len {
            let word = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
            let (id, width) = match self.find(word, len - at) {
                Some((code, width)) => (u16::from(code), width),
                None => (256 + (word & 0xff) as u16, 1),
            };
            counts.one(id);
            if let Some(last) = last {
                counts.pair(last, id);
            }
            // The first byte of a longer symbol may serve alone as well.
            if width > 1 {
                let first = 256 + (word & 0xff) as u16;
                counts.one(first);
                if let Some(last) = last {
                    counts.pair(last, first);
                }
            }
            last = Some(id);
            at += usize::from(width);
        }
    }

    /// Replaces the table by the symbols that cover most.
    fn choose(&mut self, counts: &Counts, last: bool) {
        let symbol = |id: u16| if id >= 256 { Symbol::byte(id as u8) } else { self.symbols[usize::from(id)] };
        let mut gains: hashbrown::HashMap<Symbol, u64> = hashbrown::HashMap::with_capacity(4096);
        for &id in &counts.seen {
            let (s, n) = (symbol(id), u64::from(counts.singles[usize::from(id)]));
            // A byte that stays an escape costs two.
            let weight = if s.len == 1 { 8 } else { u64::from(s.len) };
            *gains.entry(s).or_default() += weight * n;
        }
        if !last {
            for &pair in &counts.pairs_seen {
                let n = u64::from(counts.pairs[pair as usize]);
                let (a, b) = (symbol((pair / 512) as u16), symbol((pair % 512) as u16));
                if n < 2 || a.len == 8 {
                    continue;
                }
                let joined = a.join(b);
                *gains.entry(joined).or_default() += u64::from(joined.len) * n;
            }
        }
        let mut best: Vec<(u64, Symbol)> = gains.into_iter().map(|(s, gain)| (gain, s)).collect();
        best.sort_unstable_by(|a, b| b.cmp(a));
        self.clear();
        for (_, symbol) in best {
            if self.symbols.len() == MAX_SYMBOLS {
                break;
            }
            self.add(symbol);
        }
    }

    /// Appends the codes of `bytes`, whose last eight bytes are slack and are not coded.
    pub fn encode(&self, bytes: &[u8], out: &mut Vec<u8>) {
        let len = bytes.len() - 8;
        let at = out.len();
        // A literal takes two bytes.
        out.resize(at + 2 * len, 0);
        let to = &mut out[at..];
        let (mut from, mut n) = (0, 0);
        while from < len {
            let word = u64::from_le_bytes(bytes[from..from + 8].try_into().expect("eight bytes"));
            match self.find(word, len - from) {
                Some((code, width)) => {
                    to[n] = code;
                    n += 1;
                    from += usize::from(width);
                }
                None => {
                    to[n] = ESCAPE;
                    to[n + 1] = word as u8;
                    n += 2;
                    from += 1;
                }
            }
        }
        out.truncate(at + n);
    }

    /// Appends the table: lengths, then bytes back to back. Returns the number of symbols.
    pub fn write(&self, out: &mut Vec<u8>) -> usize {
        out.extend(self.symbols.iter().map(|s| s.len));
        for s in &self.symbols {
            out.extend_from_slice(&s.bytes.to_le_bytes()[..usize::from(s.len)]);
        }
        self.symbols.len()
    }
}

/// How often symbols and pairs of them occur; only what occurred is visited.
struct Counts {
    singles: Vec<u32>,
    seen: Vec<u16>,
    pairs: Vec<u16>,
    pairs_seen: Vec<u32>,
}

impl Counts {
    fn new() -> Self {
        Self { singles: vec![0; 512], seen: Vec::new(), pairs: vec![0; 512 * 512], pairs_seen: Vec::new() }
    }

    fn clear(&mut self) {
        self.seen.drain(..).for_each(|id| self.singles[usize::from(id)] = 0);
        self.pairs_seen.drain(..).for_each(|pair| self.pairs[pair as usize] = 0);
    }

    fn one(&mut self, id: u16) {
        let n = &mut self.singles[usize::from(id)];
        if *n == 0 {
            self.seen.push(id);
        }
        *n += 1;
    }

    fn pair(&mut self, a: u16, b: u16) {
        let at = u32::from(a) * 512 + u32::from(b);
        let n = &mut self.pairs[at as usize];
        if *n == 0 {
            self.pairs_seen.push(at);
        }
        *n = n.saturating_add(1);
    }
}

/// A table read from a file.
pub struct Decoder {
    bytes: [u64; 256],
    lens: [u8; 256],
}

impl Decoder {
    /// Reads what [`Encoder::write`] wrote at the front of `table`; also says how many bytes it took.
    pub fn read(table: &[u8], symbols: usize) -> Result<(Self, usize)> {
        ensure!(symbols <= MAX_SYMBOLS && table.len() >= symbols, Corruption, "symbol table of {symbols} symbols in {} bytes", table.len());
        let mut decoder = Self { bytes: [0; 256], lens: [0; 256] };
        let mut at = symbols;
        for (i, &len) in table[..symbols].iter().enumerate() {
            ensure!((1..=8).contains(&len) && at + usize::from(len) <= table.len(), Corruption, "symbol {i} of {len} bytes at {at}");
            let mut word = [0; 8];
            word[..usize::from(len)].copy_from_slice(&table[at..at + usize::from(len)]);
            decoder.bytes[i] = u64::from_le_bytes(word);
            decoder.lens[i] = len;
            at += usize::from(len);
        }
        Ok((decoder, at))
    }

    /// Decodes codes into exactly `total` bytes, followed by `slack` zeros.
    pub fn decode(&self, codes: &[u8], total: usize, slack: usize) -> Result<Vec<u8>> {
        /// Codes decoded between two looks at the bounds.
        const STEP: usize = 8;
        let mut out: Vec<u8> = Vec::with_capacity(total + slack.max(8 * STEP));
        let to = out.as_mut_ptr();
        let (mut from, mut n) = (0, 0);
        // Eight codes give at most 64 bytes; the buffer has room for them behind any position up to `total`.
        while from + STEP <= codes.len() && n <= total {
            let word = u64::from_le_bytes(codes[from..from + STEP].try_into().expect("eight codes"));
            // Some byte is 0xff exactly when its complement has a zero byte.
            let inverse = !word;
            let escapes = inverse.wrapping_sub(0x0101_0101_0101_0101) & !inverse & 0x8080_8080_8080_8080;
            if escapes == 0 {
                for i in 0..STEP {
                    let code = usize::from((word >> (8 * i)) as u8);
                    // SAFETY: n <= total before the step, each of eight writes moves it by at most 8 and writes 8 bytes, and the
                    // capacity is at least total + 64.
                    unsafe { to.add(n).cast::<u64>().write_unaligned(self.bytes[code].to_le()) };
                    n += usize::from(self.lens[code]);
                }
                from += STEP;
                continue;
            }
            // Up to the first literal (the lowest flag is exact), and the literal itself if it is whole.
            let clean = escapes.trailing_zeros() as usize / 8;
            for i in 0..clean {
                let code = usize::from((word >> (8 * i)) as u8);
                // SAFETY: as above, with fewer writes.
                unsafe { to.add(n).cast::<u64>().write_unaligned(self.bytes[code].to_le()) };
                n += usize::from(self.lens[code]);
            }
            from += clean;
            if from + 1 >= codes.len() {
                break;
            }
            // SAFETY: at most seven symbols of eight bytes were written since n <= total held.
            unsafe { to.add(n).write(codes[from + 1]) };
            n += 1;
            from += 2;
        }
        ensure!(n <= total, Corruption, "codes give more than {total} bytes");
        // SAFETY: the first n bytes were written, n <= total <= capacity.
        unsafe { out.set_len(n) };
        while from < codes.len() {
            let code = usize::from(codes[from]);
            if codes[from] == ESCAPE {
                ensure!(from + 1 < codes.len(), Corruption, "codes end in an escape");
                out.push(codes[from + 1]);
                from += 2;
            } else {
                out.extend_from_slice(&self.bytes[code].to_le_bytes()[..usize::from(self.lens[code])]);
                from += 1;
            }
            ensure!(out.len() <= total, Corruption, "codes give more than {total} bytes");
        }
        ensure!(out.len() == total, Corruption, "codes give {} bytes, not {total}", out.len());
        out.resize(total + slack, 0);
        Ok(out)
    }
}
