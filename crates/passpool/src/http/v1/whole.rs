//! Whole numbers in bodies. JSON has one kind of number, and by JSON Schema `2.0` is a whole one too.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// A field that has to be there.
pub(super) fn one<'de, T: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Whole::deserialize(from).map(|whole| whole.0)
}

/// A field that may be missing.
pub(super) fn some<'de, T: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Whole<T>>::deserialize(from)?.map(|whole| whole.0))
}

/// A list that may be missing.
pub(super) fn list<'de, T: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<T>>, D::Error> {
    let list = Option::<Vec<Whole<T>>>::deserialize(from)?;
    Ok(list.map(|list| list.into_iter().map(|whole| whole.0).collect()))
}

struct Whole<T>(T);

impl<'de, T: TryFrom<u64>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_u64(Read(PhantomData)).map(Self)
    }
}

struct Read<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for Read<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &"a smaller whole number"))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Err(E::invalid_value(Unexpected::Signed(number), &"a whole number from 0 on"))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        /// From here on not every whole number can be told from its neighbours.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && (0.0..=EXACT).contains(&number) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was just looked at")]
            return self.visit_u64(number as u64);
        }
        Err(E::invalid_type(Unexpected::Float(number), &"a whole number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        #[serde(deserialize_with = "one")]
        count: u32,
        #[serde(default, deserialize_with = "some")]
        limit: Option<u64>,
        #[serde(default, deserialize_with = "list")]
        ids: Option<Vec<u64>>,
    }

    #[test]
    fn a_whole_number_is_read_however_it_is_written() {
        let check = |text: &str, expected: (u32, Option<u64>, Option<Vec<u64>>)| {
            let Body { count, limit, ids } = serde_json::from_str(text).unwrap();
            assert_eq!((count, limit, ids), expected, "{text}");
        };
        check(r#"{"count": 7}"#, (7, None, None));
        check(r#"{"count": 7.0, "limit": 1e3}"#, (7, Some(1_000), None));
        check(r#"{"count": 4294967295, "limit": null, "ids": [1, 2.0]}"#, (u32::MAX, None, Some(vec![1, 2])));
        for wrong in ["-1", "-1.0", "1.5", "4294967296", "4294967296.0", "1e300", "\"7\"", "null", "[7]", "true"] {
            assert!(serde_json::from_str::<Body>(&format!("{{\"count\": {wrong}}}")).is_err(), "{wrong}");
        }
    }
}
