//! The JSON schema of configurations, made from the shipped example and the parser: keys, types and descriptions are
//! the example's, and a key is required when the parser refuses the example without it. Neither can fall behind the
//! other, since both are read when the schema is printed.

use crate::config::Config;
use crate::run::{Refused, usage};
use serde_json::{Map, Value, json};

/// The example that every key of is taken from.
const EXAMPLE: &str = include_str!("../../configs/binance-testnet.toml");

/// The schema, one JSON text. Err: the example is none that the parser takes.
pub(crate) fn text() -> Result<String, Refused> {
    Config::parse("example".into(), EXAMPLE.into()).map_err(usage)?;
    let mut root = Table::default();
    let mut name = String::new();
    for (number, line) in EXAMPLE.lines().enumerate() {
        let (code, remark) = split_remark(line);
        let is_optional = code.is_empty();
        // A key that may be left out stands in the example behind a `#`.
        let code = if is_optional { line.trim_start_matches(['#', ' ']) } else { code };
        let (code, remark) = if is_optional { split_remark(code) } else { (code, remark) };
        if let Some(table) = code.strip_prefix('[').filter(|_| !is_optional) {
            name = table.trim_matches(['[', ']']).to_owned();
            root.table(&name, code.starts_with("[["), remark);
        } else if let Some((key, value)) = code.split_once(" = ").filter(|(key, _)| is_key(key)) {
            let Ok(value) = format!("x = {value}").parse::<toml::Table>() else { continue };
            let required = !is_optional && is_required(number);
            let value = value.get("x").map_or(json!({}), schema_of);
            root.key(&name, key, value, remark, required);
        }
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sabrewing configuration",
        "type": "object",
        "additionalProperties": false,
        "properties": root.properties,
        "required": root.required,
    });
    serde_json::to_string_pretty(&schema).map(|text| text + "\n").map_err(usage)
}

/// Whether the parser refuses the example without this line.
fn is_required(number: usize) -> bool {
    let without: Vec<&str> =
        EXAMPLE.lines().enumerate().filter(|(index, _)| *index != number).map(|(_, line)| line).collect();
    Config::parse("example".into(), without.join("\n")).is_err()
}

#[derive(Default)]
struct Table {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Table {
    fn table(&mut self, name: &str, is_list: bool, remark: &str) {
        let object = json!({
            "type": "object", "description": remark, "additionalProperties": name == "strategy",
            "properties": {}, "required": [],
        });
        let schema = if is_list { json!({ "type": "array", "items": object }) } else { object };
        if self.properties.contains_key(name) {
            // The second of a list.
            return;
        }
        self.properties.insert(name.to_owned(), schema);
        if !is_list && !matches!(name, "host") {
            self.required.push(name.to_owned());
        }
    }

    fn key(&mut self, table: &str, key: &str, mut value: Value, remark: &str, required: bool) {
        let Some(table) = self.properties.get_mut(table) else { return };
        let object = if table.get("items").is_some() { &mut table["items"] } else { table };
        if !remark.is_empty() {
            value["description"] = remark.into();
        }
        object["properties"][key] = value;
        let is_new = |list: &&mut Vec<Value>| !list.contains(&json!(key));
        if required && let Some(list) = object["required"].as_array_mut().filter(is_new) {
            list.push(key.into());
        }
    }
}

fn schema_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) if text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') => {
            json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" })
        }
        toml::Value::String(_) => json!({ "type": ["string", "object"] }),
        toml::Value::Integer(_) => json!({ "type": "integer" }),
        toml::Value::Float(_) => json!({ "type": "number" }),
        toml::Value::Boolean(_) => json!({ "type": "boolean" }),
        toml::Value::Datetime(_) => json!({ "type": "string" }),
        toml::Value::Array(items) => {
            let items = items.first().map_or(json!({ "type": "string" }), schema_of);
            json!({ "type": "array", "items": items })
        }
        toml::Value::Table(table) => {
            let keys: Vec<&String> = table.keys().collect();
            let properties: Map<String, Value> =
                table.iter().map(|(key, value)| (key.clone(), schema_of(value))).collect();
            json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": keys })
        }
    }
}

/// A line's code and its remark; a `#` in quotes begins none.
fn split_remark(line: &str) -> (&str, &str) {
    let mut quoted = false;
    let remark = line.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == '#' && !quoted
    });
    match remark {
        Some((at, _)) => (line[..at].trim(), line[at + 1..].trim()),
        None => (line.trim(), ""),
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_every_key_of_the_example_and_which_of_them_must_be_there() {
        let schema: Value = serde_json::from_str(&text().unwrap_or_default()).unwrap();
        let risk = &schema["properties"]["risk"];
        assert_eq!(risk["properties"]["collar_bps"]["type"], "integer");
        assert!(risk["properties"]["collar_bps"]["description"].as_str().unwrap().contains("touch"));
        assert!(risk["required"].as_array().unwrap().contains(&json!("collar_bps")));
        let venue = &schema["properties"]["venue"]["items"];
        assert_eq!(venue["properties"]["rest"]["type"], json!(["string", "object"]));
        let required = venue["required"].as_array().unwrap();
        assert!(required.contains(&json!("symbols")) && !required.contains(&json!("rest")), "{required:?}");
        assert_eq!(venue["properties"]["silence"]["properties"]["depth_ms"]["type"], "integer");
        let example: toml::Table = EXAMPLE.parse().unwrap();
        for (table, value) in &example {
            let object = &schema["properties"][table];
            let (object, keys) = match value {
                toml::Value::Array(rows) => (&object["items"], rows[0].as_table().unwrap()),
                value => (object, value.as_table().unwrap()),
            };
            for key in keys.keys() {
                assert!(object["properties"].get(key).is_some(), "{table}.{key}");
            }
        }
    }
}
