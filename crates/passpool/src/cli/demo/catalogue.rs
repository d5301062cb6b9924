//! What the demo's passports are of: watches of a brand that does not exist.

use passpool_core::{Content, ContentError};
use serde::Serialize;

const SCHEMA: &str = "https://cert.arianee.org/version5/ArianeeProductCertificate-i18n.json";
const BRAND: &str = "Maison Verdier";

/// Name, reference, and what is said of it.
const MODELS: [(&str, &str, &str); 5] = [
    ("Horizon Automatic", "MV-HZ40", "A three-hand watch of 40 mm with an automatic movement and a date at six."),
    ("Marée Diver", "MV-MR42", "A diver's watch, tight to 300 metres, with a ceramic bezel that turns one way."),
    ("Atelier Chronograph", "MV-AC41", "A chronograph with a column wheel and two counters, wound by hand."),
    ("Clair de Lune", "MV-CL38", "A dress watch of 38 mm with a moon phase that is right for 122 years."),
    ("Voyageur GMT", "MV-VG41", "A traveller's watch with a second time zone and a case of brushed steel."),
];
const DIALS: [&str; 6] = ["midnight blue", "ivory", "slate grey", "forest green", "black", "burgundy"];
const STRAPS: [&str; 4] = ["calf leather", "steel bracelet", "rubber", "alligator leather"];

/// A product as the certificate's schema has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    #[serde(rename = "$schema")]
    schema: &'static str,
    language: &'static str,
    name: String,
    description: String,
    sub_brand: &'static str,
    model: &'static str,
    category: &'static str,
    #[serde(rename = "serialnumber")]
    serial_number: Vec<Typed>,
    attributes: Vec<Typed>,
    manufacturing_country: &'static str,
}

#[derive(Serialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

/// The contents of so many passports, no two alike.
pub(super) fn contents(count: usize) -> impl Iterator<Item = Result<Content, ContentError>> {
    (0..count).map(content)
}

fn content(index: usize) -> Result<Content, ContentError> {
    let (model, reference, description) = MODELS[index % MODELS.len()];
    let (dial, strap) = (DIALS[index % DIALS.len()], STRAPS[index % STRAPS.len()]);
    let typed = |kind, value: &str| Typed { kind, value: value.to_owned() };
    let product = Product {
        schema: SCHEMA,
        language: "en",
        name: format!("{BRAND} {model}, {dial}"),
        description: format!("{description} The dial is {dial}, the strap {strap}."),
        sub_brand: BRAND,
        model,
        category: "accessory",
        serial_number: vec![typed("serialnumber", &format!("{reference}-{:05}", 10_001 + index))],
        attributes: vec![typed("color", dial), typed("strap", strap), typed("reference", reference)],
        manufacturing_country: "CHE",
    };
    Content::parse(&serde_json::to_string(&product).expect("a product is JSON"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_products_are_alike() {
        let contents: HashSet<_> = contents(150).map(Result::unwrap).collect();
        assert_eq!(contents.len(), 150);
    }
}
