//! Control messages of stream connections.
//!
//! Methods and answers: developers.binance.com, "Live subscribing/unsubscribing to streams", read 2026-11-21.

use serde_json::Value;

use super::json::Json;

/// What a client asks of its stream connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Listen to these.
    Subscribe(Vec<String>),
    /// Listen to these no more.
    Unsubscribe(Vec<String>),
    /// Which are there?
    List,
    /// Wrap events with their stream's name, or not.
    SetCombined(bool),
    /// Are events wrapped?
    GetCombined,
}

/// A control message that is none: the finished answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ControlError(pub(crate) String);

/// Reads a control message. Also gives the request's `id` as JSON.
/// Err: the answer that says what is wrong.
pub(crate) fn parse(text: &str) -> Result<(String, Control), ControlError> {
    let message: Value =
        serde_json::from_str(text).map_err(|error| refused(3, &format!("Invalid JSON: {error}"), None))?;
    let Value::Object(message) = message else {
        return Err(refused(2, "Invalid request: request must be an object", None));
    };
    let id = id_of(message.get("id")).ok_or_else(|| {
        refused(
            2,
            "Invalid request: request ID must be an unsigned integer, a string of 36 characters or null",
            None,
        )
    })?;
    let fail = |code, text: &str| refused(code, text, Some(&id));
    if let Some(name) = message.keys().find(|name| !["method", "params", "id"].contains(&name.as_str())) {
        return Err(fail(2, &format!("Invalid request: unknown field `{name}`")));
    }
    let method = message.get("method").and_then(Value::as_str);
    let method = method.ok_or_else(|| fail(2, "Invalid request: missing field `method`"))?;
    let params = message.get("params");
    let list =
        || params.and_then(Value::as_array).ok_or_else(|| fail(2, "Invalid request: params must be a list"));
    let names = || -> Result<Vec<String>, ControlError> {
        let texts = list()?.iter().map(|name| name.as_str().map(str::to_owned));
        let names: Option<Vec<_>> = texts.collect();
        names.ok_or_else(|| fail(2, "Invalid request: stream names must be strings"))
    };
    let control = match method {
        "SUBSCRIBE" => Control::Subscribe(names()?),
        "UNSUBSCRIBE" => Control::Unsubscribe(names()?),
        "LIST_SUBSCRIPTIONS" => Control::List,
        "SET_PROPERTY" | "GET_PROPERTY" => match (list()?.as_slice(), method) {
            ([Value::String(name), ..], _) if name != "combined" => return Err(fail(0, "Unknown property")),
            ([_, Value::Bool(value)], "SET_PROPERTY") => Control::SetCombined(*value),
            ([_], "GET_PROPERTY") => Control::GetCombined,
            ([_, _], "SET_PROPERTY") => return Err(fail(1, "Invalid value type: expected Boolean")),
            _ => return Err(fail(2, "Invalid request: wrong number of parameters")),
        },
        other => return Err(fail(2, &format!("Invalid request: unknown variant `{other}`"))),
    };
    Ok((id, control))
}

/// The `id` of a request as JSON: a whole number, a string of up to 36 characters, or null, which it also is when it
/// is not there. None: anything else.
#[must_use]
pub(crate) fn id_of(id: Option<&Value>) -> Option<String> {
    match id {
        None | Some(Value::Null) => Some("null".to_owned()),
        Some(id @ Value::Number(number)) if number.is_i64() || number.is_u64() => Some(id.to_string()),
        Some(id @ Value::String(text)) if text.chars().count() <= 36 => Some(id.to_string()),
        Some(_) => None,
    }
}

/// `{"result":…,"id":…}`.
#[must_use]
pub(crate) fn answer(id: &str, result: &str) -> String {
    let mut json = Json::object();
    json.raw("result", result).raw("id", id);
    json.done()
}

fn refused(code: i32, text: &str, id: Option<&str>) -> ControlError {
    let mut json = Json::object();
    json.int("code", code).text("msg", text);
    if let Some(id) = id {
        json.raw("id", id);
    }
    ControlError(json.done())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_method_is_read_with_its_id() {
        let (id, control) = parse(r#"{"method":"SUBSCRIBE","params":["a@trade"],"id":1}"#).unwrap();
        assert_eq!((id.as_str(), control), ("1", Control::Subscribe(vec!["a@trade".into()])));
        let read = |text| parse(text).unwrap().1;
        assert_eq!(read(r#"{"method":"LIST_SUBSCRIPTIONS","id":"x"}"#), Control::List);
        let set = r#"{"method":"SET_PROPERTY","params":["combined",true],"id":4}"#;
        assert_eq!(read(set), Control::SetCombined(true));
        assert_eq!(read(r#"{"method":"GET_PROPERTY","params":["combined"],"id":5}"#), Control::GetCombined);
        assert_eq!(answer("5", "true"), r#"{"result":true,"id":5}"#);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_venues_code() {
        let code = |text: &str| {
            let answer: Value = serde_json::from_str(&parse(text).unwrap_err().0).unwrap();
            answer["code"].as_i64().unwrap()
        };
        assert_eq!(code(r#"{"method":"GET_PROPERTY","params":["other"],"id":5}"#), 0);
        assert_eq!(code(r#"{"method":"SET_PROPERTY","params":["combined",1],"id":5}"#), 1);
        for text in [
            r#"{"method":"SUBSCRIBE","id":1}"#,
            r#"{"method":"SUBSCRIBE","params":[1],"id":1}"#,
            r#"{"method":"GO","id":1}"#,
            r#"{"id":1}"#,
            r#"{"method":"LIST_SUBSCRIPTIONS","id":1.5}"#,
            "[]",
        ] {
            assert_eq!(code(text), 2, "{text}");
        }
        assert_eq!(code("}"), 3);
    }

    proptest! {
        #[test]
        fn text_of_any_kind_is_a_control_message_or_gets_an_answer_that_is_json(text in ".{0,120}") {
            if let Err(ControlError(answer)) = parse(&text) {
                prop_assert!(serde_json::from_str::<Value>(&answer).is_ok());
            }
        }
    }
}
