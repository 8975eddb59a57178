//! Responses of the API, which are JSON objects.

use super::response::{JSON, Response};
use super::site::NOT_STORED;
use crate::json::Object;

/// Ends a response with an error of the API.
pub fn write_error(response: Response<'_>, code: &str, message: &str) {
    let mut object = Vec::new();
    Object::begin(&mut object)
        .object("error", |error| {
            error.text("code", code).text("message", message);
        })
        .end();
    write_json(response, &object);
}

/// Ends a response with an object of the API.
pub fn write_json(response: Response<'_>, object: &[u8]) {
    response.fields(&[NOT_STORED]).body(JSON, object);
}
