//! JSON lines: an object in each line, whose fields are the columns. What is nested becomes columns of its own: `acc_0`, `pose.x`.

use core::fmt;

use ::csv::ByteRecord;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The fields of an object in their order.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// The columns that the first object has.
#[derive(Debug, Default)]
pub(super) struct Columns(Vec<String>);

impl Columns {
    /// Finds the columns in the first line.
    pub(super) fn new(line: &[u8]) -> Result<Self, String> {
        Ok(Self(flat(line)?.into_iter().map(|(name, _)| name).collect()))
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> ByteRecord {
        self.0.iter().collect()
    }

    /// Reads a line. A field that it lacks is empty.
    pub(super) fn read(&self, line: &[u8]) -> Result<ByteRecord, String> {
        let mut fields = flat(line)?;
        // As a rule, all lines have the same fields in the same order.
        if fields.iter().map(|(name, _)| name).eq(&self.0) {
            return Ok(fields.iter().map(|(_, value)| value).collect());
        }
        if let Some((name, _)) = fields.iter().find(|(name, _)| !self.0.contains(name)) {
            return Err(format!(
                "expected the fields of the first line, got another one: `{name}`"
            ));
        }
        let mut take = |name: &String| {
            let field = fields.iter_mut().find(|(field, _)| field == name);
            field.map_or_else(String::new, |(_, value)| core::mem::take(value))
        };
        Ok(self.0.iter().map(&mut take).collect())
    }
}

/// The names and values of an object, what is nested among them.
fn flat(line: &[u8]) -> Result<Vec<(String, String)>, String> {
    let Object(fields) = serde_json::from_slice(line).map_err(|error| {
        let (what, at) = (error.to_string(), error.column());
        let what = what.split(" at line").next().unwrap_or_default();
        format!("expected an object as in {{\"x\": 1, \"label\": \"a\"}}: {what} (column {at})")
    })?;
    let mut found = Vec::with_capacity(fields.len());
    fields.into_iter().for_each(|(name, value)| flatten(name, value, &mut found));
    Ok(found)
}

fn flatten(name: String, value: Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Null => found.push((name, String::new())),
        Value::Bool(is) => found.push((name, u8::from(is).to_string())),
        Value::Number(number) => found.push((name, number.to_string())),
        Value::String(text) => found.push((name, text)),
        Value::Array(values) => {
            let values = values.into_iter().enumerate();
            values.for_each(|(at, value)| flatten(format!("{name}_{at}"), value, found));
        }
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields.for_each(|(key, value)| flatten(format!("{name}.{key}"), value, found));
        }
    }
}
