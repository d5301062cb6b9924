//! The documents say what the paths do. What a declaration leaves out is left out silently, so it is looked for here.

use serde_json::Value;

use super::*;

/// Each operation of a document, with its name.
fn each(document: &str, mut check: impl FnMut(&str, &Value)) {
    let document: Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            check(&format!("{method} {path}"), operation);
        }
    }
}

#[test]
fn every_operation_tells_what_it_takes_and_what_it_answers() {
    for document in [ours(), compatible()] {
        each(&document, |name, operation| {
            assert!(operation["operationId"].is_string(), "{name}");
            assert!(operation["summary"].is_string() || operation["description"].is_string(), "{name}");
            let answers = operation["responses"].as_object().unwrap();
            let good: Vec<_> = answers.iter().filter(|(status, _)| status.starts_with('2')).collect();
            assert!(!good.is_empty(), "{name} has no good answer");
            for (status, answer) in good {
                if status != "204" {
                    let contents =
                        answer["content"].as_object().unwrap_or_else(|| panic!("{name} {status} has no body"));
                    assert!(contents.values().all(|content| content["schema"].is_object()), "{name} {status}");
                }
            }
            assert!(answers.contains_key("default"), "{name}");
            if let Some(body) = operation.get("requestBody") {
                let contents = body["content"].as_object().unwrap();
                assert!(
                    contents.values().all(|content| content["schema"].is_object()),
                    "{name} has a body without a schema"
                );
            }
        });
    }
}

#[test]
fn every_link_leads_from_a_declared_answer_to_an_operation_that_takes_what_it_brings() {
    let text = ours();
    let mut takes = std::collections::HashMap::new();
    each(&text, |_, operation| {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let names = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap().to_owned());
        let id = operation["operationId"].as_str().unwrap().to_owned();
        takes.insert(id, (names.collect::<Vec<_>>(), operation.get("requestBody").is_some()));
    });
    let mut told = 0;
    each(&text, |name, operation| {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let links = answer.get("links").and_then(Value::as_object);
            for (link, to) in links.into_iter().flatten() {
                told += 1;
                let (parameters, takes_body) = &takes[to["operationId"].as_str().unwrap()];
                assert!(answer["content"].is_object() || answer["description"].is_string(), "{name} {status}");
                let brought = to.get("parameters").and_then(Value::as_object);
                for parameter in brought.into_iter().flat_map(|brought| brought.keys()) {
                    assert!(parameters.contains(parameter), "{name} {link}: {parameter}");
                }
                assert!(*takes_body || to.get("requestBody").is_none(), "{name} {link}");
            }
        }
    });
    assert_eq!(told, links::all().len(), "two links of one answer have one name, or lead from nowhere");
}

#[test]
fn every_reference_leads_somewhere_and_every_name_is_used_once() {
    for text in [ours(), compatible()] {
        let document: Value = serde_json::from_str(&text).unwrap();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let mut names = Vec::new();
        each(&text, |_, operation| names.push(operation["operationId"].as_str().unwrap().to_owned()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
