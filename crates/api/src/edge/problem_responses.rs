//! The refusals that every endpoint may answer with, in the OpenAPI document: described once, and named everywhere.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, Modify,
    openapi::{Content, HeaderBuilder, Object, OpenApi, Ref, RefOr, Response, ResponseBuilder, Type},
};

/// Status, name in the document, and when it is given.
const REFUSALS: [(&str, &str, &str); 7] = [
    (
        "401",
        "Unauthorised",
        "Sign in first (`sign-in-required`), the session has ended (`session-ended`), or the API key is not valid.",
    ),
    ("403", "Forbidden", "The caller may not do this."),
    ("404", "NotFound", "It does not exist, or the caller may not know of it."),
    ("409", "Conflict", "Its state forbids it, it exists already, or somebody else changed it."),
    ("422", "Invalid", "Fields are wrong; `errors` names them."),
    (
        "429",
        "TooManyRequests",
        "Too many sign-ins failed, too many streams are open, or too many writes had to be refused (`too-many-requests`).",
    ),
    (
        "503",
        "Unavailable",
        "The store or the node cannot be asked at the moment, or more is asked than can be answered in time \
         (`overloaded`). Nothing was changed.",
    ),
];

/// Those that say when to try again.
const RETRIED: [&str; 2] = ["TooManyRequests", "Unavailable"];

/// Names the refusals among an endpoint's answers, and describes them in the document.
pub struct ProblemResponses;

impl IntoResponses for ProblemResponses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let named = |(status, name, _): (&str, &str, &str)| (status.to_owned(), Ref::from_response_name(name).into());
        REFUSALS.map(named).into()
    }
}

impl Modify for ProblemResponses {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        for (_, name, description) in REFUSALS {
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            let mut response =
                ResponseBuilder::new().description(description).content("application/problem+json", problem);
            if RETRIED.contains(&name) {
                let seconds = Object::with_type(Type::Integer);
                let header =
                    HeaderBuilder::new().schema(Some(seconds)).description(Some("When to try again, in seconds."));
                response = response.header("Retry-After", header.build());
            }
            components.responses.insert(name.to_owned(), response.build().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    /// An answer of an operation, with what it refers to looked up.
    fn answer<'a>(document: &'a Value, operation: &'a Value, status: &str) -> &'a Value {
        let answer = &operation["responses"][status];
        answer["$ref"].as_str().map_or(answer, |place| document.pointer(place.trim_start_matches('#')).unwrap())
    }

    #[test]
    fn every_operation_says_when_to_come_again() {
        let document = serde_json::to_value(crate::document()).unwrap();
        let mut operations = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations += 1;
                for (status, code) in [("429", "too-many-requests"), ("503", "overloaded")] {
                    let answer = answer(&document, operation, status);
                    let described = answer["description"].as_str().unwrap_or_default();
                    assert!(described.contains(code), "{method} {path}: {status} does not name `{code}`");
                    let header = &answer["headers"]["Retry-After"];
                    assert_eq!(header["schema"]["type"], "integer", "{method} {path}: {status} says not when");
                }
            }
        }
        assert!(operations > 40, "{operations} operations are not all there are");
    }
}
