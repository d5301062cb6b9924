//! What is wrong with a body, and where.

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[expect(dead_code, reason = "it is there to be of a type")]
    count: u32,
    #[serde(default)]
    #[expect(dead_code, reason = "it is there to be of a type")]
    recipients: Vec<Recipient>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipient {
    #[expect(dead_code, reason = "it is there to be of a type")]
    name: String,
}

fn flaw(body: &str) -> (Option<String>, String) {
    match parse::<Order>(body.as_bytes()) {
        Err(Problem::Invalid(flaws)) => (flaws[0].pointer.clone(), flaws[0].detail.clone()),
        Err(Problem::Malformed(detail)) => (None, detail),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn a_wrong_value_is_pointed_to() {
    let check = |body: &str, pointer: &str, detail: &str| {
        let (at, told) = flaw(body);
        assert_eq!(at.as_deref(), Some(pointer), "{body}: {told}");
        assert!(told.contains(detail) && !told.contains("line"), "{body}: {told}");
    };
    check("[]", "#", "invalid");
    check("7", "#", "invalid type");
    check("null", "#", "invalid type");
    check("{}", "#", "missing field `count`");
    check(r#"{"count":"1"}"#, "#/count", "invalid type: string");
    check(r#"{"count":-1}"#, "#/count", "invalid value");
    check(r#"{"count":1.5}"#, "#/count", "floating point");
    check(r#"{"count":1,"count":1}"#, "#", "duplicate field");
    check(r#"{"count":1,"x/y":2}"#, "#/x~1y", "unknown field");
    check(r#"{"count":1,"recipients":[{"name":"a"},{"name":7}]}"#, "#/recipients/1/name", "invalid type");
    check(r#"{"count":1,"recipients":[{"name":"a","phone":"x"}]}"#, "#/recipients/0/phone", "unknown field");
}

#[test]
fn what_is_not_json_is_malformed_whatever_else_is_wrong_with_it() {
    for body in
        ["", "{", "{}}", "{\"count\":1}x", "{'count':1}", "{\"count\":\"1\"", "{\"count\":\"1\",}", "\u{feff}{}"]
    {
        let (at, told) = flaw(body);
        assert!(at.is_none() && told.contains("line 1"), "{body}: {at:?} {told}");
    }
    assert!(matches!(
        parse::<Order>(b"{\"count\":1,\"recipients\":[{\"name\":\"\xff\"}]}"),
        Err(Problem::Malformed(_))
    ));
}

#[test]
fn what_is_nested_too_deep_is_pointed_to() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let (at, told) = flaw(&format!(r#"{{"count":{}}}"#, nested(32)));
    assert!(at.unwrap().starts_with("#/count/0/0") && told.contains("32 levels"), "{told}");
    // As deep as that is only of the wrong type.
    assert_eq!(flaw(&format!(r#"{{"count":{}}}"#, nested(31))).0.as_deref(), Some("#/count"));
    let brackets = "[".repeat(100);
    assert_eq!(
        flaw(&format!(r#"{{"count":"\"{brackets}"}}"#)).0.as_deref(),
        Some("#/count"),
        "in a string they are none"
    );
    assert_eq!(flaw(&"[".repeat(100_000)).0.as_deref().map(|at| at.len()), Some(1 + 2 * 32));
}
