//! The refusals that every endpoint may answer with, in the OpenAPI document: described once, and named everywhere.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, Modify,
    openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder},
};

/// Status, name in the document, and when it is given.
const REFUSALS: [(&str, &str, &str); 6] = [
    (
        "401",
        "Unauthorised",
        "Sign in first (`sign-in-required`), the session has ended (`session-ended`), or the API key is not valid.",
    ),
    ("403", "Forbidden", "The caller may not do this."),
    ("404", "NotFound", "It does not exist, or the caller may not know of it."),
    ("409", "Conflict", "Its state forbids it, it exists already, or somebody else changed it."),
    ("422", "Invalid", "Fields are wrong; `errors` names them."),
    ("503", "Unavailable", "The store or the node cannot be asked at the moment. Nothing was changed."),
];

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
            let response = ResponseBuilder::new().description(description).content("application/problem+json", problem);
            components.responses.insert(name.to_owned(), response.build().into());
        }
    }
}
