//! The face of a passport: what of its content a page shows, and in which language.
//!
//! The content is the brand's JSON, mostly of the published product certificate. Anything may be missing or of another
//! type than expected: what cannot be read is left out, and a passport of `{}` has a face all the same.

use passpool_core::Content;
use serde_json::{Map, Value};

use super::{
    language::Preferred,
    words::{FactWords, Words},
};

/// A page on a phone is read by a person: beyond these it only grows.
const PICTURES: usize = 8;
const PARAGRAPHS: usize = 12;
const FACTS: usize = 40;
const LINKS: usize = 12;
/// In characters: a title is a line or two, a text a screen or two.
const LINE: usize = 160;
const TEXT: usize = 4_000;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Face {
    /// The language of the texts, if the content tells.
    pub(super) language: Option<String>,
    pub(super) title: Option<String>,
    pub(super) brand: Option<String>,
    /// Addresses with https, the one to show first.
    pub(super) pictures: Vec<String>,
    pub(super) paragraphs: Vec<Paragraph>,
    pub(super) facts: Vec<Fact>,
    pub(super) links: Vec<Outward>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Paragraph {
    pub(super) title: Option<String>,
    pub(super) text: String,
}

/// A name and a value, such as a colour.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) value: String,
}

/// A link that leads away, with http or https.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outward {
    pub(super) title: String,
    pub(super) url: String,
}

impl Face {
    pub(super) fn of(content: &Content, preferred: &Preferred, words: &Words) -> Self {
        let Ok(Value::Object(content)) = serde_json::from_str(content.as_str()) else { return Self::default() };
        let translated = translation(&content, preferred);
        let reader = Reader { content: &content, translated };
        Self {
            language: reader.line("language"),
            title: reader.line("name").or_else(|| reader.line("model")),
            brand: reader.line("subBrand").or_else(|| reader.line("brand")),
            pictures: reader.pictures(),
            paragraphs: reader.paragraphs(),
            facts: reader.facts(&words.facts),
            links: reader.links(),
        }
    }
}

/// The entry of `i18n` that this visitor reads better than the content itself.
fn translation<'a>(content: &'a Map<String, Value>, preferred: &Preferred) -> Option<&'a Map<String, Value>> {
    let own = content.get("language").and_then(Value::as_str).unwrap_or_default();
    let entries = list(content.get("i18n")).filter_map(Value::as_object);
    let translated = entries.filter_map(|entry| Some((entry.get("language")?.as_str()?, Some(entry))));
    let offered: Vec<_> = std::iter::once((own, None)).chain(translated).collect();
    preferred.best(&offered, |(language, _)| language)?.1
}

/// Reads fields, each from the translation if that has it.
struct Reader<'a> {
    content: &'a Map<String, Value>,
    translated: Option<&'a Map<String, Value>>,
}

impl<'a> Reader<'a> {
    fn field(&self, name: &str) -> Option<&'a Value> {
        let translated = self.translated.and_then(|translated| translated.get(name)).filter(|value| !is_blank(value));
        translated.or_else(|| self.content.get(name))
    }

    fn line(&self, name: &str) -> Option<String> {
        scalar(self.field(name)?).map(|text| shortened(&text, LINE))
    }

    fn objects(&self, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
        list(self.field(name)).filter_map(Value::as_object)
    }

    fn pictures(&self) -> Vec<String> {
        let media = self.objects("medias").filter(|media| {
            let kind = media.get("mediaType").or_else(|| media.get("type")).and_then(Value::as_str);
            kind.is_none_or(|kind| matches!(kind, "picture" | "image" | "product" | "productPicture"))
        });
        let pictures = media.filter_map(|media| media.get("url").or_else(|| media.get("src")));
        let single = ["image", "picture", "imageUrl"].into_iter().filter_map(|name| self.field(name));
        let old = self.objects("pictures").filter_map(|picture| picture.get("url").or_else(|| picture.get("src")));
        let all = pictures.chain(old).chain(single).filter_map(Value::as_str);
        unique(all.filter(|url| is_url(url, &["https://"])).map(str::to_owned), PICTURES)
    }

    fn paragraphs(&self) -> Vec<Paragraph> {
        let description = self.field("description").and_then(scalar).map(|text| (None, text));
        let more = self.objects("subDescription").filter_map(|part| {
            let text = part.get("content").or_else(|| part.get("value")).and_then(scalar)?;
            Some((part.get("title").and_then(scalar), text))
        });
        let paragraphs = description.into_iter().chain(more).take(PARAGRAPHS);
        let shown = |(title, text): (Option<String>, String)| Paragraph {
            title: title.map(|title| shortened(&title, LINE)),
            text: shortened(&text, TEXT),
        };
        paragraphs.map(shown).collect()
    }

    fn facts(&self, words: &FactWords) -> Vec<Fact> {
        let named = [
            ("model", words.model),
            ("category", words.category),
            ("subCategory", words.sub_category),
            ("sku", words.sku),
            ("manufacturingCountry", words.country),
        ];
        let single = named.into_iter().filter_map(|(field, name)| Some((name.to_owned(), scalar(self.field(field)?)?)));
        let typed = ["serialnumber", "serialNumber", "attributes", "customAttributes", "size", "materials", "traits"];
        let typed = typed.into_iter().flat_map(|name| self.objects(name)).filter_map(typed_fact);
        let typed = typed.map(|(name, value)| match name.eq_ignore_ascii_case("serialnumber") {
            true => (words.serial_number.to_owned(), value),
            false => (spaced(&shortened(&name, LINE)), value),
        });
        let facts = single.chain(typed).take(FACTS);
        facts.map(|(name, value)| Fact { name, value: shortened(&value, LINE) }).collect()
    }

    fn links(&self) -> Vec<Outward> {
        let external = self.objects("externalContents").filter_map(|link| {
            let title = link.get("title").or_else(|| link.get("type")).and_then(scalar);
            Some((title, link.get("url").and_then(Value::as_str)?))
        });
        let single =
            ["external_url", "youtube_url"].into_iter().filter_map(|name| Some((None, self.field(name)?.as_str()?)));
        let links = external.chain(single).filter(|(_, url)| is_url(url, &["https://", "http://"])).take(LINKS);
        let shown = |(title, url): (Option<String>, &str)| {
            let title = title.map_or_else(|| host(url), |title| spaced(&shortened(&title, LINE)));
            Outward { title, url: url.to_owned() }
        };
        links.map(shown).collect()
    }
}

/// A name and a value, in one of the spellings that contents have for them.
fn typed_fact(fact: &Map<String, Value>) -> Option<(String, String)> {
    let first = |names: &[&str]| names.iter().find_map(|name| fact.get(*name).and_then(scalar));
    let name = first(&["type", "trait_type", "material", "name"])?;
    let value = first(&["value", "pourcentage", "percentage"])?;
    let unit = first(&["unit"]).map(|unit| format!(" {unit}")).unwrap_or_default();
    let unit = if fact.contains_key("pourcentage") && unit.is_empty() { " %".to_owned() } else { unit };
    Some((name, format!("{value}{unit}")))
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Only what is surely a web address becomes one on the page.
fn is_url(url: &str, schemes: &[&str]) -> bool {
    let rest = schemes.iter().find_map(|scheme| {
        let head = url.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| &url[scheme.len()..])
    });
    let is_clean =
        !url.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '\\'));
    is_clean
        && url.len() <= 2_048
        && rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
}

fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest).to_owned()
}

fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

/// `strapLength` as people write it.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for character in name.replace(['_', '-'], " ").chars() {
        if character.is_uppercase() && words.ends_with(char::is_lowercase) {
            words.push(' ');
            words.extend(character.to_lowercase());
        } else if words.is_empty() {
            words.extend(character.to_uppercase());
        } else {
            words.push(character);
        }
    }
    words
}

fn unique(texts: impl Iterator<Item = String>, at_most: usize) -> Vec<String> {
    let mut seen = Vec::new();
    for text in texts {
        if seen.len() == at_most {
            break;
        }
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use serde_json::json;

    use super::*;

    fn face(content: &Value, languages: &str) -> Face {
        let headers = HeaderMap::from_iter([("accept-language".parse().unwrap(), languages.parse().unwrap())]);
        let preferred = Preferred::of(&headers);
        Face::of(&Content::parse(&content.to_string()).unwrap(), &preferred, Words::of(&preferred))
    }

    fn watch() -> Value {
        json!({
            "$schema": "https://cert.arianee.org/version5/ArianeeProductCertificate-i18n.json",
            "language": "en-US",
            "name": "Chronograph 41",
            "subBrand": "Maison Exemple",
            "description": "A watch.",
            "subDescription": [{"type": "care", "title": "Care", "content": "Keep it dry."}, {"content": 7}, {}],
            "medias": [
                {"mediaType": "picture", "type": "product", "url": "https://cdn.example/watch.jpg"},
                {"mediaType": "picture", "url": "http://cdn.example/plain.jpg"},
                {"mediaType": "video", "url": "https://cdn.example/film.mp4"}
            ],
            "serialnumber": [{"type": "serialnumber", "value": "SN-1"}],
            "attributes": [{"type": "color", "value": "black"}, {"type": "broken"}],
            "materials": [{"material": "steel", "pourcentage": 80}],
            "size": [{"type": "diameter", "value": 41, "unit": "mm"}],
            "manufacturingCountry": "CH",
            "externalContents": [
                {"type": "website", "title": "Our house", "url": "https://brand.example"},
                {"type": "evil", "url": "javascript:alert(1)"},
                {"type": "evil", "url": "https://a\" onclick=\"x"}
            ],
            "i18n": [{"language": "fr-FR", "name": "Chronographe 41", "description": "Une montre.", "subDescription": []}]
        })
    }

    #[test]
    fn everything_that_a_page_shows_is_read() {
        let face = face(&watch(), "en");
        assert_eq!(face.title.as_deref(), Some("Chronograph 41"));
        assert_eq!(face.brand.as_deref(), Some("Maison Exemple"));
        assert_eq!(face.pictures, ["https://cdn.example/watch.jpg"]);
        let told: Vec<_> = face.paragraphs.iter().map(|part| (part.title.as_deref(), part.text.as_str())).collect();
        assert_eq!(told, [(None, "A watch."), (Some("Care"), "Keep it dry."), (None, "7")]);
        let facts: Vec<_> = face.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
        let expected = ["Made in: CH", "Serial number: SN-1", "Color: black", "Diameter: 41 mm", "Steel: 80 %"];
        assert_eq!(facts, expected);
        assert_eq!(face.links, [Outward { title: "Our house".into(), url: "https://brand.example".into() }]);
    }

    #[test]
    fn a_translation_stands_in_for_what_it_has() {
        let face = face(&watch(), "fr-CH, en;q=0.5");
        assert_eq!((face.title.as_deref(), face.language.as_deref()), (Some("Chronographe 41"), Some("fr-FR")));
        assert_eq!(face.paragraphs[0].text, "Une montre.");
        let names: Vec<_> = face.facts.iter().take(3).map(|fact| fact.name.as_str()).collect();
        assert_eq!(names, ["Fabriqué en", "Numéro de série", "Color"], "what the content names itself stays");
        assert_eq!(face.paragraphs[1].text, "Keep it dry.", "an empty list translates nothing");
    }

    #[test]
    fn who_reads_none_of_the_languages_gets_the_contents_own() {
        for languages in ["", "ja", "en-GB, fr"] {
            assert_eq!(face(&watch(), languages).title.as_deref(), Some("Chronograph 41"), "{languages}");
        }
    }

    #[test]
    fn nonsense_leaves_a_face_without_it() {
        assert_eq!(face(&json!({}), "en"), Face::default());
        let nonsense = json!({
            "name": ["x"], "description": {"a": 1}, "medias": "x", "attributes": [1, null, "x"], "i18n": {"fr": 1},
            "language": 7, "image": "data:image/png;base64,AAAA", "external_url": "ftp://x"
        });
        assert_eq!(face(&nonsense, "fr"), Face { language: Some("7".into()), ..Face::default() });
    }

    #[test]
    fn a_page_has_an_end() {
        let many: Vec<Value> = (0..1_000).map(|n| json!({"type": format!("t{n}"), "value": "v".repeat(500)})).collect();
        let face = face(&json!({"name": "é".repeat(10_000), "attributes": many}), "en");
        assert_eq!(face.title.unwrap().chars().count(), LINE + 1);
        assert_eq!((face.facts.len(), face.facts[0].value.len()), (FACTS, LINE + "…".len()));
    }
}
