//! What a row must look like: its columns, its key, its version.

use crate::feed::Field;

/// The columns of a feed and its key: what a row of a batch must look like.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Layout {
    pub fields: Vec<Field>,
    /// Where the key's columns stand in `fields`, in the key's order; never empty.
    pub key: Vec<usize>,
    /// Where the column stands that says which of two rows of one key is newer; `None`: the one that came later is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<usize>,
}

/// A key names a column that the fields lack.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key {0:?} is not among the fields")]
pub struct NoSuchKey(pub String);

/// The version is a column that the fields lack.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the version {0:?} is not among the fields")]
pub struct NoSuchVersion(pub String);

impl Layout {
    /// The layout of `fields`, keyed by the columns named in `key`.
    ///
    /// # Errors
    /// [`NoSuchKey`] for the first column of `key` that is not among `fields`.
    pub fn new(fields: Vec<Field>, key: &[String]) -> Result<Self, NoSuchKey> {
        let key = key
            .iter()
            .map(|name| {
                fields.iter().position(|f| f.name == *name).ok_or_else(|| NoSuchKey(name.clone()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { fields, key, version: None })
    }

    /// The same, with the column that tells versions apart, if there is one.
    ///
    /// # Errors
    /// [`NoSuchVersion`] if it is not among the fields.
    pub fn versioned(mut self, column: Option<&str>) -> Result<Self, NoSuchVersion> {
        self.version = column
            .map(|name| self.position(name).ok_or_else(|| NoSuchVersion(name.to_owned())))
            .transpose()?;
        Ok(self)
    }

    /// The layout of the columns whose names `keep` approves, and the others.
    ///
    /// # Errors
    /// [`NoSuchKey`] for the first column of the key that is among the others.
    pub fn split(self, keep: impl Fn(&str) -> bool) -> Result<(Self, Vec<Field>), NoSuchKey> {
        let key: Vec<_> = self.key_fields().map(|field| field.name.clone()).collect();
        let version = self.version.and_then(|at| self.fields.get(at)).map(|f| f.name.clone());
        let (kept, others) = self.fields.into_iter().partition(|field| keep(&field.name));
        let mut layout = Self::new(kept, &key)?;
        layout.version = version.and_then(|name| layout.position(&name));
        Ok((layout, others))
    }

    /// The column of that name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The key's columns, in the key's order.
    pub fn key_fields(&self) -> impl Iterator<Item = &Field> {
        self.key.iter().filter_map(|&at| self.fields.get(at))
    }

    /// Whether a row must have a value in that column. A deletion needs no more than its key.
    pub fn is_required(&self, column: usize) -> bool {
        self.key.contains(&column)
            || self.version == Some(column)
            || self.fields.get(column).is_some_and(|f| f.required)
    }
}
