//! Imprints: the fingerprint of a content, which a certificate on a chain carries and wallets compute again.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::Content;

/// 32 bytes that follow from a content and its schema: a chain of SHA-256 over the schema's fields (protocol, section 4).
///
/// Only fields of the schema count, and a field that is missing, null or empty counts the same. The schema is one of the
/// published product certificates: versions 1 and 5 are known, each checked against imprints of Arianee's own package;
/// a content of any other schema has no imprint here.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Imprint([u8; 32]);

impl Imprint {
    pub fn of(content: &Content) -> Result<Self, ImprintError> {
        let content: Map<String, Value> =
            serde_json::from_str(content.as_str()).map_err(|_| ImprintError::Shape("the content".into()))?;
        let named = content.get("$schema").and_then(Value::as_str).ok_or(ImprintError::NoSchema)?;
        let schema = CertificateSchema::named(named).ok_or_else(|| ImprintError::UnknownSchema(named.to_owned()))?;
        let mut leaves = BTreeMap::new();
        walk(&schema.shape(), Some(&Value::Object(content)), "", &mut leaves)?;
        Ok(Self(root(leaves)))
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Imprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex(&self.0))
    }
}

impl fmt::Debug for Imprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A version of the published product certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateSchema {
    V1,
    V5,
}

impl CertificateSchema {
    pub const ALL: [Self; 2] = [Self::V1, Self::V5];

    /// By the address that a content names.
    pub fn named(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|schema| schema.url() == url)
    }

    pub const fn url(self) -> &'static str {
        match self {
            Self::V1 => "https://cert.arianee.org/version1/ArianeeProductCertificate-i18n.json",
            Self::V5 => "https://cert.arianee.org/version5/ArianeeProductCertificate-i18n.json",
        }
    }

    /// The names of its fields. In brackets stand those of the objects in a list.
    pub const fn fields(self) -> &'static str {
        match self {
            Self::V1 => {
                "$schema name sku gtin brandInternalId category subCategory intended subBrand model language description \
                 manufacturingCountry facilityId \
                 serialnumber[type value] \
                 subDescription[type title content order] \
                 externalContents[type title url order] \
                 i18n[language description subDescription[type title content order] \
                   externalContents[type title url order]] \
                 msrp[msrp currency msrpCountry] \
                 medias[mediaType type url hash order] \
                 attributes[type value] \
                 materials[material value pourcentage] \
                 size[type value unit] \
                 productCertification[name]"
            }
            Self::V5 => {
                "$schema name sku gtin brandInternalId category subCategory intended subBrand model language description \
                 manufacturingCountry facilityId image image_data external_url background_color animation_url youtube_url \
                 serialnumber[type value] \
                 subDescription[type title content order] \
                 externalContents[type title url order] \
                 i18n[language name model subBrand description subDescription[type title content order] \
                   medias[mediaType type url hash order] externalContents[type title url order] \
                   customAttributes[type value] \
                   transparencyItems[category type subtype title subtitle description \
                     medias[mediaType type url hash order] externalContents[type title url order]]] \
                 msrp[msrp currency msrpCountry] \
                 medias[mediaType type url hash order] \
                 customAttributes[type value] \
                 attributes[trait_type type value] \
                 materials[material value pourcentage] \
                 size[type value unit] \
                 productCertification[name] \
                 transparencyItems[category type subtype title subtitle description \
                   medias[mediaType type url hash order] externalContents[type title url order]] \
                 parentCertificates[type arianeeLink order]"
            }
        }
    }

    fn shape(self) -> Shape {
        let spaced = self.fields().replace('[', " [ ").replace(']', " ] ");
        Shape::Object(read_fields(&mut spaced.split_whitespace()))
    }
}

/// What a schema wants at a place.
enum Shape {
    Value,
    /// A list of objects that have these fields.
    List(BTreeMap<String, Shape>),
    Object(BTreeMap<String, Shape>),
}

fn read_fields<'a>(words: &mut impl Iterator<Item = &'a str>) -> BTreeMap<String, Shape> {
    let mut fields = BTreeMap::new();
    let mut last = None;
    while let Some(word) = words.next().filter(|word| *word != "]") {
        if word == "[" {
            let name: String = last.take().expect("a list has a name");
            fields.insert(name, Shape::List(read_fields(words)));
        } else {
            fields.insert(word.to_owned(), Shape::Value);
            last = Some(word.to_owned());
        }
    }
    fields
}

/// Collects the leaves under a place, by their paths.
fn walk(
    shape: &Shape,
    value: Option<&Value>,
    path: &str,
    leaves: &mut BTreeMap<String, String>,
) -> Result<(), ImprintError> {
    match shape {
        Shape::Value => {
            leaves.insert(path.to_owned(), text(value, path)?);
            Ok(())
        }
        Shape::Object(fields) => walk_object(fields, value, path, leaves),
        Shape::List(fields) => match value.filter(|value| !value.is_null()) {
            None => walk(&Shape::Value, None, path, leaves),
            Some(Value::Array(items)) if items.is_empty() => walk(&Shape::Value, None, path, leaves),
            Some(Value::Array(items)) => items.iter().enumerate().try_for_each(|(index, item)| {
                walk_object(fields, Some(item), &joined(path, &index.to_string()), leaves)
            }),
            Some(_) => Err(ImprintError::Shape(path.to_owned())),
        },
    }
}

fn walk_object(
    fields: &BTreeMap<String, Shape>,
    value: Option<&Value>,
    path: &str,
    leaves: &mut BTreeMap<String, String>,
) -> Result<(), ImprintError> {
    let value = match value {
        Some(Value::Object(object)) => object,
        _ => return Err(ImprintError::Shape(path.to_owned())),
    };
    fields.iter().try_for_each(|(name, shape)| walk(shape, value.get(name), &joined(path, name), leaves))
}

/// A value as JavaScript writes it in a text.
fn text(value: Option<&Value>, path: &str) -> Result<String, ImprintError> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::Bool(value)) => Ok(value.to_string()),
        Some(Value::Number(number)) => number.as_f64().map(number_text).ok_or_else(|| ImprintError::Shape(path.into())),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(_) | Value::Object(_)) => Err(ImprintError::Shape(path.to_owned())),
    }
}

/// Digits, but for very large and very small numbers (ECMA-262, Number::toString).
fn number_text(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        return "0".into();
    }
    if (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    if size >= 1.0 { text.replace('e', "e+") } else { text }
}

/// Makes one hash of each group of leaves, the innermost first, and one of what is left at the top.
fn root(mut leaves: BTreeMap<String, String>) -> [u8; 32] {
    let mut groups: Vec<String> = leaves.keys().flat_map(|path| parents(path)).collect();
    // The order of the reference: texts, greatest first, by which an inner group comes before the one around it.
    groups.sort_unstable_by(|a, b| b.cmp(a));
    groups.dedup();
    for group in groups {
        let prefix = format!("{group}.");
        // Groups inside this one are hashes already, so all that begins like it are its children.
        let behind = leaves.range(prefix.clone()..).map(|(path, _)| path);
        let children: Vec<String> = behind.take_while(|path| path.starts_with(&prefix)).cloned().collect();
        let values: Vec<String> = children.iter().filter_map(|path| leaves.remove(path)).collect();
        leaves.insert(group.clone(), hex(&chain(&values, &prefix)));
    }
    let values: Vec<String> = leaves.into_values().collect();
    chain(&values, "")
}

/// The paths of all groups around a leaf.
fn parents(path: &str) -> impl Iterator<Item = String> {
    path.match_indices('.').map(|(end, _)| path[..end].to_owned())
}

/// Each value together with what stands behind it, and at the end how many there were. All is hashed as text in hex.
fn chain(values: &[String], prefix: &str) -> [u8; 32] {
    let nonce = |index: usize| hash(&format!("{prefix}{index}"));
    let mut node = hash(&hex(&nonce(values.len())));
    for (index, value) in values.iter().enumerate().rev() {
        let leaf = hash(&format!("{}{}", hex(&hash(value)), hex(&nonce(index))));
        node = hash(&format!("{}{}", hex(&leaf), hex(&node)));
    }
    node
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Why a content has no imprint.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImprintError {
    #[error("the content names no $schema")]
    NoSchema,
    #[error("the schema {0} is not known here")]
    UnknownSchema(String),
    #[error("{0} is not what the schema wants there")]
    Shape(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_does() {
        let check = |number: f64, expected: &str| assert_eq!(number_text(number), expected);
        check(0.0, "0");
        check(-0.0, "0");
        check(1.5, "1.5");
        check(-3.0, "-3");
        check(9_007_199_254_740_991.0, "9007199254740991");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(1.25e22, "1.25e+22");
        check(0.000_001, "0.000001");
        check(1.5e-7, "1.5e-7");
    }

    #[test]
    fn what_has_no_imprint_says_why() {
        let check = |content: &str, expected: ImprintError| {
            assert_eq!(Imprint::of(&Content::parse(content).unwrap()), Err(expected), "{content}");
        };
        check("{}", ImprintError::NoSchema);
        check(r#"{"$schema":7}"#, ImprintError::NoSchema);
        let of = |version: u8, rest: &str| {
            format!(
                r#"{{"$schema":"https://cert.arianee.org/version{version}/ArianeeProductCertificate-i18n.json"{rest}}}"#
            )
        };
        let unknown = "https://cert.arianee.org/version4/ArianeeProductCertificate-i18n.json";
        check(&of(4, ""), ImprintError::UnknownSchema(unknown.into()));
        check(&of(5, r#","medias":{}"#), ImprintError::Shape("medias".into()));
        check(&of(5, r#","medias":[{"url":[]}]"#), ImprintError::Shape("medias.0.url".into()));
        check(&of(5, r#","medias":[7]"#), ImprintError::Shape("medias.0".into()));
    }

    #[test]
    fn missing_null_and_empty_are_the_same() {
        let of = |rest: &str| {
            let content = format!(r#"{{"$schema":"{}"{rest}}}"#, CertificateSchema::V5.url());
            Imprint::of(&Content::parse(&content).unwrap()).unwrap()
        };
        assert_eq!(of(""), of(r#","name":null,"medias":null,"description":"","size":[]"#));
        assert_eq!(of(r#","name":"1""#), of(r#","name":1"#));
        assert_ne!(of(r#","name":"x""#), of(""));
    }
}
