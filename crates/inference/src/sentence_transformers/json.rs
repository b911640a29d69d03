//! JSON files of a model's directory, with typed access: a value of another type is a fault, null is
//! as absent.

use crate::directory::Directory;
use protocol::Fault;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Configurations are small; a larger file is something else.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file that holds a JSON object.
pub struct Object<'a> {
    directory: &'a Directory,
    file: String,
    values: Map<String, Value>,
}

impl<'a> Object<'a> {
    /// A file that must be there.
    pub fn required(directory: &'a Directory, file: &str) -> Result<Self, Fault> {
        match required(directory, file)? {
            Value::Object(values) => Ok(Self { directory, file: file.to_owned(), values }),
            _ => Err(unsupported(directory, file, "anything but an object")),
        }
    }

    /// A file that may be missing.
    pub fn optional(directory: &'a Directory, file: &str) -> Result<Option<Self>, Fault> {
        match directory.path().join(file).exists() {
            true => Self::required(directory, file).map(Some),
            false => Ok(None),
        }
    }

    /// Whether the key is there with the value null.
    pub fn is_null(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(Value::is_null)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, Fault> {
        self.typed(key, "a text", Value::as_str)
    }

    /// A yes or no.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, Fault> {
        self.typed(key, "true or false", Value::as_bool)
    }

    /// A whole number that is not negative.
    pub fn number(&self, key: &str) -> Result<Option<usize>, Fault> {
        self.typed(key, "a whole number", |value| usize::try_from(value.as_u64()?).ok())
    }

    /// A number that is not negative and may be as large as it likes, in whole ones.
    pub fn large_number(&self, key: &str) -> Result<Option<usize>, Fault> {
        self.typed(key, "a number", |value| {
            let number = value.as_f64().filter(|number| *number >= 0.0)?;
            Some(number as usize)
        })
    }

    /// Names of the flags with this prefix that are true, without it.
    pub fn flags_on(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let mut on = Vec::new();
        for (key, name) in self.values.keys().filter_map(|k| Some((k, k.strip_prefix(prefix)?))) {
            if self.flag(key)? == Some(true) {
                on.push(name.to_owned());
            }
        }
        Ok(on)
    }

    /// A list of texts; empty where it is absent.
    pub fn list(&self, key: &str) -> Result<Vec<&str>, Fault> {
        let texts = |value| Value::as_array(value)?.iter().map(Value::as_str).collect();
        Ok(self.typed(key, "a list of texts", texts)?.unwrap_or_default())
    }

    /// How many entries an object has.
    pub fn size(&self, key: &str) -> Result<Option<usize>, Fault> {
        self.typed(key, "an object", |value| value.as_object().map(Map::len))
    }

    /// An object inside.
    pub fn object(&self, key: &str) -> Result<Option<Object<'a>>, Fault> {
        let values = self.typed(key, "an object", Value::as_object)?.cloned();
        let (directory, file) = (self.directory, self.file.clone());
        Ok(values.map(|values| Object { directory, file, values }))
    }

    /// An object of texts; empty where it is absent.
    pub fn texts(&self, key: &str) -> Result<BTreeMap<String, String>, Fault> {
        let Some(object) = self.typed(key, "an object", Value::as_object)? else {
            return Ok(BTreeMap::new());
        };
        let refuse = || self.unsupported(&format!("anything but texts in {key}"));
        let text = |(name, value): (&String, &Value)| {
            value.as_str().map(|text| (name.clone(), text.to_owned())).ok_or_else(refuse)
        };
        object.iter().map(text).collect()
    }

    /// What this file asks for cannot be done.
    pub fn unsupported(&self, what: &str) -> Fault {
        unsupported(self.directory, &self.file, what)
    }

    fn typed<'s, T>(
        &'s self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'s Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        match self.values.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| self.unsupported(&format!("{key} that is not {expected}"))),
        }
    }
}

/// The JSON of a file that must be there.
pub fn required(directory: &Directory, file: &str) -> Result<Value, Fault> {
    if !directory.path().join(file).exists() {
        let manifest = crate::manifest::FILE_NAME;
        return Err(directory.broken(&format!("it has neither {manifest} nor {file}")).detail(
            "Without a manifest, a directory must have the sentence-transformers layout: \
             config.json, modules.json, 1_Pooling/config.json, tokenizer.json, onnx/model.onnx.",
        ));
    }
    let json = directory.read_text(file, MAX_BYTES)?;
    serde_json::from_str(&json).map_err(|error| {
        directory.broken(&format!("file {file:?} is not JSON")).detail(format!("{error}."))
    })
}

/// A file asks for what cannot be done.
pub fn unsupported(directory: &Directory, file: &str, what: &str) -> Fault {
    directory
        .broken(&format!("{what} is not supported"))
        .detail(format!("In {file}."))
        .hint("Export the model with models/export, or write a model.toml; see models/README.md.")
}
