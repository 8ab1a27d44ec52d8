//! A person of a drill's own, who comes and goes with it: what is done to their account is done to nobody else.

use http::Method;
use nodepanel_types::UserId;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    error::DrillError,
    http::{Access, Bearer, Connection, Request, Try},
    load::mark,
    scene::{PATIENCE, Scene},
    user::User,
};

/// Somebody with an account and a key.
pub struct Person {
    id: UserId,
    /// What they sign in with.
    pub email: String,
    /// And this.
    pub password: String,
    /// The API with their key.
    pub access: Access,
}

#[derive(Deserialize)]
struct Made {
    id: UserId,
}

#[derive(Deserialize)]
struct KeyMade {
    token: String,
}

impl Person {
    /// Makes one, as an administrator.
    pub async fn new(administrator: &Access) -> Result<Self, DrillError> {
        let mark = mark();
        let (email, password) = (format!("{mark}@drill.invalid"), format!("{mark}, of a drill"));
        let account = json!({"email": email, "password": password, "role": "user"});
        let Made { id } = post(administrator, "/api/v1/users", &account).await?;
        let key = format!("/api/v1/users/{id}/keys");
        let KeyMade { token } = post(administrator, &key, &json!({"name": "drill"})).await?;
        let access = Access { address: administrator.address, bearer: Bearer::fixed(token) };
        Ok(Self { id, email, password, access })
    }

    /// Takes them away, with all that they made.
    pub async fn leave(self, administrator: &Access) -> Result<(), DrillError> {
        let path = format!("/api/v1/users/{}", self.id);
        let _: Value = ask(administrator, &Request::keyed(Method::DELETE, path, &Value::Null, mark())).await?;
        Ok(())
    }
}

async fn post<T: DeserializeOwned>(access: &Access, path: &str, body: &Value) -> Result<T, DrillError> {
    ask(access, &Request::keyed(Method::POST, path, body, mark())).await
}

async fn ask<T: DeserializeOwned>(access: &Access, request: &Request) -> Result<T, DrillError> {
    let asked = User::new(access.clone(), 3).ask(request).await;
    let wrong = |answer: String| DrillError::Answer { what: format!("{} {}", request.method, request.path), answer };
    let answer = asked.answer.ok_or_else(|| wrong(format!("{:?}", asked.outcome)))?;
    let body: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
    serde_json::from_slice(body).map_err(|_| wrong(answer.text()))
}

/// Signs in as the administrator of the drill's own installation; the session.
pub async fn sign_in(scene: &Scene) -> Result<String, DrillError> {
    let (email, password) = scene.administrator()?;
    let body = json!({"email": email, "password": password}).to_string().into();
    let request = Request { method: Method::POST, path: "/api/v1/session".to_owned(), body, key: None, cookie: None };
    let what = || "signing in".to_owned();
    match Connection::new(scene.access().clone()).attempt(&request, PATIENCE).await {
        Try::Answered(answer) if answer.status == 200 => {
            answer.cookie.ok_or_else(|| DrillError::Answer { what: what(), answer: "no session".to_owned() })
        }
        other => Err(DrillError::Answer { what: what(), answer: format!("{other:?}") }),
    }
}
