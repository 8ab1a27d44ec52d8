//! `/api/docs`: the OpenAPI document as a page, for people. Made once from the document itself, so that it cannot say
//! anything else; needs no script.

use std::fmt::Write as _;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::Value;

/// The page, ready to be sent.
#[derive(Clone)]
pub struct DocsPage(Bytes);

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const STYLE: &str = include_str!("docs_page.css");

impl DocsPage {
    /// Makes the page of a document.
    pub fn of(document: &Value) -> Self {
        let mut page = Page(String::with_capacity(256 * 1024));
        page.document(document);
        Self(page.0.into())
    }

    /// Sends the page.
    pub fn answer(&self) -> Response {
        ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], self.0.clone()).into_response()
    }
}

/// Sends the page's style.
pub async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

struct Page(String);

impl Page {
    /// Adds markup of ours.
    fn markup(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// Adds text of the document, which is no markup.
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                other => self.0.push(other),
            }
        }
    }

    fn element(&mut self, name: &str, text: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "<{name}>");
        self.text(text);
        let _ = write!(self.0, "</{name}>");
    }

    fn document(&mut self, document: &Value) {
        self.markup(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
             <title>NodePanel API</title><link rel=\"stylesheet\" href=\"/api/docs.css\"></head><body><main>",
        );
        self.element("h1", "NodePanel API");
        for paragraph in string(document, "/info/description").split("\n\n") {
            self.element("p", paragraph);
        }
        self.markup("<p>The same for programs: <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a></p>");
        for tag in document.pointer("/tags").and_then(Value::as_array).into_iter().flatten() {
            let name = string(tag, "/name");
            self.element("h2", name);
            self.element("p", string(tag, "/description"));
            for (path, operations) in entries(document, "/paths") {
                for method in METHODS {
                    let Some(operation) = operations.get(method) else { continue };
                    let tagged = operation.pointer("/tags/0").and_then(Value::as_str) == Some(name);
                    if tagged {
                        self.operation(document, method, path, operation);
                    }
                }
            }
        }
        self.element("h2", "Schemas");
        for (name, schema) in entries(document, "/components/schemas") {
            self.markup("<details id=\"");
            self.text(name);
            self.markup("\"><summary>");
            self.element("code", name);
            self.markup("</summary>");
            self.element("p", string(schema, "/description"));
            self.element("pre", &serde_json::to_string_pretty(schema).unwrap_or_default());
            self.markup("</details>");
        }
        self.markup("</main></body></html>");
    }

    fn operation(&mut self, document: &Value, method: &str, path: &str, operation: &Value) {
        self.markup("<details><summary>");
        self.element("b", &method.to_uppercase());
        self.markup(" ");
        self.element("code", path);
        self.markup(" ");
        self.element("span", string(operation, "/summary"));
        self.markup("</summary>");
        let parameters = operation.get("parameters").and_then(Value::as_array);
        if let Some(parameters) = parameters {
            self.markup("<table><caption>Parameters</caption><tbody>");
            for parameter in parameters {
                self.markup("<tr><td>");
                self.element("code", string(parameter, "/name"));
                self.markup("</td><td>");
                self.text(string(parameter, "/in"));
                self.markup("</td><td>");
                self.text(string(parameter, "/description"));
                self.markup("</td></tr>");
            }
            self.markup("</tbody></table>");
        }
        if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
            self.markup("<p>Body: ");
            self.schema(schema);
            self.markup("</p>");
        }
        self.markup("<table><caption>Answers</caption><tbody>");
        for (status, answer) in entries(operation, "/responses") {
            let answer = described(document, answer);
            self.markup("<tr><td>");
            self.element("code", status);
            self.markup("</td><td>");
            let content = answer.get("content").and_then(Value::as_object).and_then(|content| content.values().next());
            if let Some(schema) = content.and_then(|content| content.get("schema")) {
                self.schema(schema);
            }
            self.markup("</td><td>");
            self.text(string(answer, "/description"));
            self.markup("</td></tr>");
        }
        self.markup("</tbody></table></details>");
    }

    /// A link to a named schema, or the schema itself.
    fn schema(&mut self, schema: &Value) {
        match schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next()) {
            Some(name) => {
                self.markup("<a href=\"#");
                self.text(name);
                self.markup("\">");
                self.element("code", name);
                self.markup("</a>");
            }
            None => self.element("code", &schema.to_string()),
        }
    }
}

/// What a reference to another part of the document stands for.
fn described<'v>(document: &'v Value, value: &'v Value) -> &'v Value {
    let part = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    part.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn string<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn entries<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = (&'v str, &'v Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_and_schema_is_on_the_page() {
        let document = serde_json::to_value(crate::document()).unwrap();
        let page = String::from_utf8(DocsPage::of(&document).0.to_vec()).unwrap();
        for (path, _) in entries(&document, "/paths") {
            assert!(page.contains(path), "{path}");
        }
        let missing: Vec<_> = entries(&document, "/components/schemas")
            .filter(|(name, _)| !page.contains(&format!("id=\"{name}\"")))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        // Every endpoint says when it refuses.
        let endpoints = entries(&document, "/paths").flat_map(|(_, operations)| entries(operations, "")).count();
        assert_eq!(page.matches("The caller may not do this.").count(), endpoints);
    }

    #[test]
    fn text_of_the_document_is_no_markup() {
        let mut page = Page(String::new());
        page.text("<img onerror=\"x\">&");
        assert_eq!(page.0, "&lt;img onerror=&quot;x&quot;&gt;&amp;");
    }
}
