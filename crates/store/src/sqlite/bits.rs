//! Bits: which of 4,096 consecutive passports belong to a set.

const WORDS: usize = 64;
const BYTES: usize = WORDS * 8;
/// From this many entries on the bitmap is the smaller form.
const BITMAP_FROM: u32 = 256;

/// How many passports share a chunk. 4,096 bits are 512 bytes: the most that still fits a database page many times.
pub(crate) const CHUNK: u64 = 4_096;

/// A set of numbers below 4,096.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits(Box<[u64; WORDS]>);

impl Bits {
    pub(crate) fn empty() -> Self {
        Self(Box::new([0; WORDS]))
    }

    pub(crate) fn insert(&mut self, bit: u16) {
        self.0[usize::from(bit >> 6)] |= 1 << (bit & 63);
    }

    /// Answers whether the bit was there.
    pub(crate) fn remove(&mut self, bit: u16) -> bool {
        let word = &mut self.0[usize::from(bit >> 6)];
        let mask = 1 << (bit & 63);
        let was_there = *word & mask != 0;
        *word &= !mask;
        was_there
    }

    pub(crate) fn contains(&self, bit: u16) -> bool {
        self.0[usize::from(bit >> 6)] & 1 << (bit & 63) != 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub(crate) fn count_common(&self, other: &Self) -> u32 {
        self.0.iter().zip(other.0.iter()).map(|(a, b)| (a & b).count_ones()).sum()
    }

    pub(crate) fn intersect(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(a, b)| *a &= b);
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(a, b)| *a &= !b);
    }

    pub(crate) fn unite(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(a, b)| *a |= b);
    }

    /// The numbers, least first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().enumerate().flat_map(|(at, word)| Ones { word: *word, base: (at * 64) as u16 })
    }

    /// Sorted 16-bit numbers below 256 entries, else 512 bytes of bitmap; the length tells which.
    pub(crate) fn encode(&self) -> Vec<u8> {
        if self.count() < BITMAP_FROM {
            self.iter().flat_map(u16::to_le_bytes).collect()
        } else {
            self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
        }
    }

    /// None if no set is written so.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut bits = Self::empty();
        if bytes.len() == BYTES {
            let (words, _) = bytes.as_chunks();
            bits.0.iter_mut().zip(words).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
            return Some(bits);
        }
        let (numbers, rest) = bytes.as_chunks();
        for number in numbers {
            let number = u16::from_le_bytes(*number);
            if u64::from(number) >= CHUNK {
                return None;
            }
            bits.insert(number);
        }
        (rest.is_empty() && bytes.len() < BYTES).then_some(bits)
    }
}

struct Ones {
    word: u64,
    base: u16,
}

impl Iterator for Ones {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.word == 0 {
            return None;
        }
        let bit = self.word.trailing_zeros() as u16;
        self.word &= self.word - 1;
        Some(self.base + bit)
    }
}

/// In which chunk a passport is.
pub(crate) const fn chunk_of(seq: u64) -> u32 {
    (seq / CHUNK) as u32
}

/// Which bit of its chunk a passport is.
pub(crate) const fn bit_of(seq: u64) -> u16 {
    (seq % CHUNK) as u16
}

/// Which passport a bit of a chunk is.
pub(crate) const fn seq_of(chunk: u32, bit: u16) -> u64 {
    chunk as u64 * CHUNK + bit as u64
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn bits(numbers: impl IntoIterator<Item = u16>) -> Bits {
        let mut bits = Bits::empty();
        numbers.into_iter().for_each(|number| bits.insert(number));
        bits
    }

    proptest! {
        #[test]
        fn a_set_is_read_as_it_is_written(numbers in btree_set(0_u16..4_096, 0..600)) {
            let set = bits(numbers.iter().copied());
            let bytes = set.encode();
            prop_assert!(bytes.len() <= BYTES);
            prop_assert_eq!(Bits::decode(&bytes), Some(set.clone()));
            prop_assert_eq!(set.count() as usize, numbers.len());
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), numbers.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn sets_meet_and_join_as_sets_do(a in btree_set(0_u16..4_096, 0..300), b in btree_set(0_u16..4_096, 0..300)) {
            let (mut met, mut joined) = (bits(a.iter().copied()), bits(a.iter().copied()));
            let other = bits(b.iter().copied());
            prop_assert_eq!(met.count_common(&other) as usize, a.intersection(&b).count());
            let mut left = met.clone();
            left.subtract(&other);
            prop_assert_eq!(left, bits(a.difference(&b).copied()));
            met.intersect(&other);
            joined.unite(&other);
            prop_assert_eq!(met, bits(a.intersection(&b).copied()));
            prop_assert_eq!(joined, bits(a.union(&b).copied()));
        }
    }

    #[test]
    fn the_form_changes_at_256() {
        assert_eq!(bits(0..255).encode().len(), 510);
        assert_eq!(bits(0..256).encode().len(), 512);
        assert_eq!(bits([]).encode().len(), 0);
    }

    #[test]
    fn what_no_set_is_written_as_is_refused() {
        for bytes in [&[0_u8; 1][..], &[0; 511], &[0; 514], &[0x00, 0x10]] {
            assert_eq!(Bits::decode(bytes), None, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn removing_tells_whether_it_was_there() {
        let mut set = bits([7]);
        assert!(set.contains(7) && set.remove(7));
        assert!(!set.contains(7) && !set.remove(7) && set.is_empty());
    }
}
