//! Bodies: JSON that is read once, and told exactly what is wrong with it.

use std::fmt;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::{Path, Segment, Track};

use crate::{
    app::App,
    http::problem::{Flaw, Problem, token},
};

/// How deep objects and lists may be nested: content is the deepest that anybody sends, and this is far deeper.
const DEPTH_AT_MOST: usize = 32;
/// From how many bytes on a body is read on a thread of its own, so that no other request waits for it.
const LARGE: usize = 64 << 10;

/// A body of JSON. Malformed JSON is a 400, what is not of the right type a 422 that points to it.
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let is_json =
            |kind: &str| kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json");
        if !media_type(request.headers()).is_none_or(|kind| is_json(&kind)) {
            return Err(Problem::WrongMediaType("application/json"));
        }
        let body = whole(request, app).await?;
        if body.len() < LARGE {
            return parse(&body).map(Self);
        }
        tokio::task::spawn_blocking(move || parse(&body)).await.expect("reading JSON does not panic").map(Self)
    }
}

/// The media type of a body, without its parameters and in small letters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The whole body of a request.
pub(super) async fn whole(request: Request, app: &App) -> Result<Bytes, Problem> {
    Bytes::from_request(request, app).await.map_err(|rejection: BytesRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::BodyTooLarge
        } else {
            Problem::Malformed("the body was cut off".into())
        }
    })
}

/// Reads a value.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if is_deep(body) {
        return Err(too_deep(body));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        wrong(body, &pointer, error.inner())
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn wrong(body: &[u8], pointer: &str, error: &serde_json::Error) -> Problem {
    // What is wrong may come before what is malformed, and then it is malformed all the same. The other way round the
    // reader takes a number where it wants a word for a syntax error, and it is none.
    let Ok(text) = str::from_utf8(body) else { return Problem::Malformed("it is not UTF-8".into()) };
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => malformed(&error),
        Ok(_) => Problem::Invalid(vec![Flaw::body(pointer, without_place(error))]),
    }
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::Malformed(format!("{} in line {}, column {}", without_place(error), error.line(), error.column()))
}

fn without_place(error: &serde_json::Error) -> String {
    let told = error.to_string();
    told.rsplit_once(" at line ").map_or(told.clone(), |(told, _)| told.to_owned())
}

fn pointer(path: &Path) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", token(key)),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(segment).collect()
}

/// True if objects and lists are nested too deep. Looks at brackets outside of strings alone, and at nothing twice.
pub(super) fn is_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > DEPTH_AT_MOST {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Finds where it is too deep.
fn too_deep(body: &[u8]) -> Problem {
    let mut json = serde_json::Deserializer::from_slice(body);
    let mut track = Track::new();
    match Shallow(DEPTH_AT_MOST).deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track)) {
        Ok(()) => Problem::Malformed("it is no JSON".into()),
        Err(error) if error.is_data() => {
            Problem::Invalid(vec![Flaw::body(pointer(&track.path()), without_place(&error))])
        }
        Err(error) => malformed(&error),
    }
}

/// Passes over a value that has at most so many levels.
#[derive(Clone, Copy)]
struct Shallow(usize);

impl Shallow {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        let deeper = || E::custom(format_args!("it is nested deeper than {DEPTH_AT_MOST} levels"));
        self.0.checked_sub(1).map(Self).ok_or_else(deeper)
    }
}

impl<'de> DeserializeSeed<'de> for Shallow {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shallow {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let below = self.below()?;
        while list.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let below = self.below()?;
        while object.next_key::<String>()?.is_some() {
            object.next_value_seed(below)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
