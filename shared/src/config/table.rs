//! From TOML to the tables of `raw`: every mistake is reported with its place, and reading goes on behind it.
//!
//! A table is declared once, by `table!`: that gives its keys, their types, their words in the JSON schema, and what
//! is said of a key that is unknown or missing.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::source::{Place, Report, quoted};

/// What can stand behind a `=`.
pub(super) trait Value: Sized + JsonSchema {
    /// Reads it. `None` once what is wrong with it has been reported.
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self>;
}

/// A value with its place.
#[derive(Debug)]
pub(super) struct At<T> {
    pub value: T,
    pub place: Place,
}

/// Something is wrong, and has been reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported;

/// What was found under a key.
#[derive(Debug)]
pub(super) enum Given<T> {
    Absent,
    /// Something, and what is wrong with it was reported: nobody may call it missing.
    Wrong,
    Here(At<T>),
}

impl<T> Given<T> {
    pub(super) fn here(&self) -> Option<&At<T>> {
        if let Self::Here(at) = self { Some(at) } else { None }
    }

    pub(super) fn value(&self) -> Option<&T> {
        self.here().map(|at| &at.value)
    }

    /// Where it stands, if it is there and right.
    pub(super) fn place(&self) -> Option<&Place> {
        self.here().map(|at| &at.place)
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The value, or `default` where none was written. `None`: something wrong was.
    pub(super) fn or(&self, default: T) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Absent => Some(default),
            Self::Wrong => None,
            Self::Here(at) => Some(at.value.clone()),
        }
    }

    /// What `check` makes of the value, where one was written.
    ///
    /// # Errors
    /// [`Reported`] if something wrong was.
    pub(super) fn checked<U>(
        &self,
        check: impl FnOnce(&At<T>) -> Option<U>,
    ) -> Result<Option<U>, Reported> {
        match self {
            Self::Absent => Ok(None),
            Self::Wrong => Err(Reported),
            Self::Here(at) => check(at).map(Some).ok_or(Reported),
        }
    }

    /// Reports that the key means nothing where it stands.
    pub(super) fn refuse(&self, report: &mut Report<'_>, problem: &str) {
        if let Some(at) = self.here() {
            report.wrong(&at.place, problem, "take it out");
        }
    }
}

/// Reports a value of the wrong type.
pub(super) fn wrong_type(
    value: &Spanned<DeValue<'_>>,
    place: &Place,
    wanted: &str,
    example: &str,
    report: &mut Report<'_>,
) {
    let found = match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    report.wrong(place, format!("is {found}, not {wanted}"), format!("write it as {example}"));
}

/// A table under way.
pub(super) struct Keys<'v, 'd> {
    table: &'v DeTable<'d>,
    place: &'v Place,
}

impl<'v, 'd> Keys<'v, 'd> {
    pub(super) fn of(
        value: &'v Spanned<DeValue<'d>>,
        place: &'v Place,
        example: &str,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(Self { table, place });
        }
        wrong_type(value, place, "a table", example, report);
        None
    }

    /// All there is, in the order of writing.
    pub(super) fn all(&self) -> Vec<(&'v str, usize, &'v Spanned<DeValue<'d>>)> {
        let mut all: Vec<_> = self
            .table
            .iter()
            .map(|(name, value)| (name.get_ref().as_ref(), name.span().start, value))
            .collect();
        all.sort_by_key(|(_, at, _)| *at);
        all
    }

    pub(super) fn take<T: Value>(
        &self,
        name: &str,
        need: Need,
        report: &mut Report<'_>,
    ) -> Given<T> {
        let place = self.place.child(name);
        let Some(value) = self.table.get(name) else {
            if need == Need::Must {
                report.missing(&place, "is missing", "add it to this block");
            }
            return Given::Absent;
        };
        let place = place.at(value.span().start);
        match T::read(value, &place, report) {
            Some(value) => Given::Here(At { value, place }),
            None => Given::Wrong,
        }
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn close(&self, known: &[&str], later: &[&str], report: &mut Report<'_>) {
        for (name, at, _) in self.all().into_iter().filter(|(name, ..)| !known.contains(name)) {
            let place = self.place.child(name).at(at);
            if later.contains(&name) {
                report.wrong(&place, "is not read by this version", "take it out");
                continue;
            }
            let remedy = match nearest(name, known) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("the keys here are: {}", known.join(", ")),
            };
            report.wrong(&place, "unknown key", remedy);
        }
    }
}

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Must,
    May,
}

/// The word that was probably meant.
pub(super) fn nearest<'w>(found: &str, words: &[&'w str]) -> Option<&'w str> {
    let found = found.to_lowercase().replace('-', "_");
    words
        .iter()
        .map(|word| (strsim::jaro_winkler(&found, word), *word))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, word)| word)
}

/// Finds the word that stands for a value; `later` are words of versions to come.
pub(super) fn word<T: Copy>(
    value: &Spanned<DeValue<'_>>,
    place: &Place,
    words: &[(&str, T)],
    later: &[&str],
    report: &mut Report<'_>,
) -> Option<T> {
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let list = either(&names);
    let Some(text) = value.get_ref().as_str() else {
        wrong_type(value, place, "one of the words", &list, report);
        return None;
    };
    if let Some((_, found)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*found);
    }
    let problem = if later.contains(&text) { "is not read by this version" } else { "is unknown" };
    report.wrong(place, format!("{} {problem}", quoted(text)), format!("use {list}"));
    None
}

/// `"a", "b" or "c"`.
fn either(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// A key's name; a word of the language stands with `r#` in our own source.
pub(super) fn name_of(key: &'static str) -> &'static str {
    key.strip_prefix("r#").unwrap_or(key)
}

/// Blocks of a list are named by their `id` where they have one, else by their number, from 1.
fn item(place: &Place, number: usize, value: &Spanned<DeValue<'_>>) -> Place {
    let table = value.get_ref().as_table();
    let id = table.and_then(|table| table.get("id")).and_then(|id| id.get_ref().as_str());
    let at = value.span().start;
    match id {
        Some(id) if crate::id::is_name(id) => place.child(id).at(at),
        _ => Place { key: format!("{}[{number}]", place.key), at },
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let Some(list) = value.get_ref().as_array() else {
            let block = format!("[[{}]], a block for each", place.key);
            let example = if value.get_ref().is_table() { &block } else { "a list in [ ]" };
            wrong_type(value, place, "a list", example, report);
            return None;
        };
        // All are read, so that the mistakes of all are reported.
        let read: Vec<Option<T>> = list
            .iter()
            .enumerate()
            .map(|(at, value)| T::read(value, &item(place, at + 1, value), report))
            .collect();
        read.into_iter().collect()
    }
}

impl<T: Value> Value for At<T> {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        Some(Self { value: T::read(value, place, report)?, place: place.clone() })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Text that says it shortly, or something longer.
#[derive(Clone, Debug)]
pub(super) enum Or<A, B> {
    Text(A),
    Other(B),
}

impl<A: Value, B: Value> Value for Or<A, B> {
    fn read(value: &Spanned<DeValue<'_>>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        if value.get_ref().is_str() {
            return A::read(value, place, report).map(Self::Text);
        }
        B::read(value, place, report).map(Self::Other)
    }
}

impl<A: JsonSchema, B: JsonSchema> JsonSchema for Or<A, B> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{} or {}", A::schema_name(), B::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (a, b) = (generator.subschema_for::<A>(), generator.subschema_for::<B>());
        json_schema!({ "anyOf": [a, b] })
    }
}

/// Declares a table: a key a line, with whether it `must` or `may` be there; `later` are the keys of versions to come.
macro_rules! table {
    (
        $(#[doc = $about:expr])*
        pub struct $name:ident, as $example:literal {
            $(
                $(#[doc = $doc:expr])*
                $(#[expect($lint:ident, reason = $reason:literal)])?
                $need:ident $key:ident: $type:ty,
            )*
        }
        later { $($later:literal)* }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        pub(in crate::config) struct $name {
            $( $(#[doc = $doc])* $(#[expect($lint, reason = $reason)])? pub $key: $crate::config::table::Given<$type>, )*
        }

        impl $crate::config::table::Value for $name {
            fn read(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                place: &$crate::config::source::Place,
                report: &mut $crate::config::source::Report<'_>,
            ) -> Option<Self> {
                use $crate::config::table::{Keys, name_of};
                let keys = Keys::of(value, place, $example, report)?;
                keys.close(&[$(name_of(stringify!($key))),*], &[$($later),*], report);
                Some(Self {
                    $( $key: keys.take(name_of(stringify!($key)), table!(@ $need), report), )*
                })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).trim_start_matches("Raw").into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                use $crate::config::{schema::{Property, table_schema}, table::name_of};
                table_schema(concat!($($about, "\n"),*), [$( Property {
                    name: name_of(stringify!($key)),
                    about: concat!($($doc, "\n"),*),
                    need: table!(@ $need),
                    schema: generator.subschema_for::<$type>(),
                } ),*])
            }
        }
    };
    (@ must) => { $crate::config::table::Need::Must };
    (@ may) => { $crate::config::table::Need::May };
}
pub(super) use table;
