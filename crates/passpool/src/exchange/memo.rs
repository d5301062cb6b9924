//! Memos: what was parsed before is not parsed again.

use std::collections::HashMap;

/// The values of texts that came lately. A million passports often share a handful of contents and tag lists.
pub(super) struct Memo<T> {
    values: HashMap<Box<str>, T>,
    bytes: usize,
}

impl<T: Clone> Memo<T> {
    /// Keeps what one import repeats, and stays small if nothing is repeated.
    const MAX_ENTRIES: usize = 8_192;
    const MAX_BYTES: usize = 16 << 20;

    pub(super) fn new() -> Self {
        Self { values: HashMap::new(), bytes: 0 }
    }

    pub(super) fn get<E>(&mut self, text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, E> {
        if let Some(value) = self.values.get(text) {
            return Ok(value.clone());
        }
        let value = parse(text)?;
        if self.values.len() == Self::MAX_ENTRIES || self.bytes + text.len() > Self::MAX_BYTES {
            self.values.clear();
            self.bytes = 0;
        }
        self.bytes += text.len();
        self.values.insert(text.into(), value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once_until_there_are_too_many() {
        let mut memo = Memo::new();
        let mut parsed = 0;
        let mut get = |text: &str| {
            memo.get(text, |text| {
                parsed += 1;
                text.parse::<u32>()
            })
        };
        assert_eq!((get("7"), get("7")), (Ok(7), Ok(7)));
        assert!(get("x").is_err() && get("x").is_err(), "what is wrong is not kept");
        for number in 0..8_193 {
            assert_eq!(get(&number.to_string()), Ok(number));
        }
        assert_eq!(get("7"), Ok(7));
        assert_eq!(parsed, 1 + 2 + 8_192 + 1);
    }
}
