//! Writes JSON in the order that the calls come in: the venue's key order is part of its protocol.

use std::fmt::{Display, Write};

/// A JSON text under construction. Members of objects are written by the methods that take a name, items of lists
/// by those that do not; commas look after themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Json(String);

impl Json {
    /// An open object.
    #[must_use]
    pub(crate) fn object() -> Self {
        Self::opened('{')
    }

    /// An open list.
    #[must_use]
    pub(crate) fn list() -> Self {
        Self::opened('[')
    }

    /// With room for most answers and events.
    fn opened(with: char) -> Self {
        let mut text = String::with_capacity(BYTES_USUAL);
        text.push(with);
        Self(text)
    }

    /// Closes the outermost object and gives the text away.
    #[must_use]
    pub(crate) fn done(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// Closes the outermost list and gives the text away.
    #[must_use]
    pub(crate) fn done_list(mut self) -> String {
        self.0.push(']');
        self.0
    }

    /// A string.
    pub(crate) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.key(name);
        self.quoted(value);
        self
    }

    /// A value printed between quotes: decimals. Its text must need no escapes.
    pub(crate) fn shown(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.key(name);
        self.print(format_args!("\"{value}\""))
    }

    /// A value printed as it is: integers.
    pub(crate) fn int(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.key(name);
        self.print(format_args!("{value}"))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    /// `null`.
    pub(crate) fn null(&mut self, name: &str) -> &mut Self {
        self.raw(name, "null")
    }

    /// JSON that is finished already.
    pub(crate) fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.key(name);
        self.0.push_str(json);
        self
    }

    /// Opens an object; [`Self::close`] ends it.
    pub(crate) fn open(&mut self, name: &str) -> &mut Self {
        self.raw(name, "{")
    }

    /// Opens a list; [`Self::close_list`] ends it.
    pub(crate) fn open_list(&mut self, name: &str) -> &mut Self {
        self.raw(name, "[")
    }

    /// Ends an object.
    pub(crate) fn close(&mut self) -> &mut Self {
        self.0.push('}');
        self
    }

    /// Ends a list.
    pub(crate) fn close_list(&mut self) -> &mut Self {
        self.0.push(']');
        self
    }

    /// A string in a list.
    pub(crate) fn item_text(&mut self, value: &str) -> &mut Self {
        self.comma();
        self.quoted(value);
        self
    }

    /// A value between quotes in a list.
    pub(crate) fn item_shown(&mut self, value: impl Display) -> &mut Self {
        self.comma();
        self.print(format_args!("\"{value}\""))
    }

    /// A value in a list, or finished JSON.
    pub(crate) fn item(&mut self, value: impl Display) -> &mut Self {
        self.comma();
        self.print(format_args!("{value}"))
    }

    /// Opens an object in a list.
    pub(crate) fn item_open(&mut self) -> &mut Self {
        self.comma();
        self.0.push('{');
        self
    }

    /// Opens a list in a list.
    pub(crate) fn item_open_list(&mut self) -> &mut Self {
        self.comma();
        self.0.push('[');
        self
    }

    fn key(&mut self, name: &str) {
        self.comma();
        self.quoted(name);
        self.0.push(':');
    }

    fn comma(&mut self) {
        if !matches!(self.0.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(',');
        }
    }

    fn quoted(&mut self, text: &str) {
        self.0.push('"');
        // Hardly any text needs escapes.
        if !text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            self.0.push_str(text);
            self.0.push('"');
            return;
        }
        for c in text.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                c if c < ' ' => {
                    self.print(format_args!("\\u{:04x}", u32::from(c)));
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    fn print(&mut self, value: std::fmt::Arguments<'_>) -> &mut Self {
        // Writing to a `String` cannot fail.
        let _ = self.0.write_fmt(value);
        self
    }
}

/// Of an order's answer or report.
const BYTES_USUAL: usize = 768;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_items_keep_their_order_and_get_their_commas() {
        let mut json = Json::object();
        json.text("e", "trade").int("E", 5).flag("m", true).null("N").shown("p", "1.50");
        json.open_list("b").item_open_list().item_shown("1").item_shown("2").close_list().close_list();
        json.open("o").close().open_list("l").item_open().close().item_open().close().close_list();
        assert_eq!(
            json.done(),
            r#"{"e":"trade","E":5,"m":true,"N":null,"p":"1.50","b":[["1","2"]],"o":{},"l":[{},{}]}"#
        );
    }

    #[test]
    fn whatever_a_text_holds_another_parser_reads_it_again() {
        let text = "a\"b\\c\n\u{1}\u{7f}ä{";
        let mut json = Json::object();
        json.text(text, text).text("last", "");
        let read: serde_json::Value = serde_json::from_str(&json.done()).unwrap();
        assert_eq!(read[text], text);
    }
}
