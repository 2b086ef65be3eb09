//! Everything that the screen says, by key, so that a language is a file and not a rewrite.
//!
//! The keys are those of the glossary with `-` for `.`; numbers are written in groups of three.

use std::{borrow::Cow, fmt};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

const ENGLISH: &str = include_str!("../i18n/en.ftl");

/// The messages of one language.
pub struct Catalogue(FluentBundle<FluentResource>);

impl Catalogue {
    /// # Panics
    /// If the built-in file is no catalogue; a test reads it.
    pub fn english() -> Self {
        let resource = FluentResource::try_new(ENGLISH.to_owned())
            .expect("the built-in catalogue is read by a test");
        let english: LanguageIdentifier = "en".parse().expect("en is a language");
        let mut bundle = FluentBundle::new_concurrent(vec![english]);
        // Isolates are invisible characters that a terminal's cells cannot carry.
        bundle.set_use_isolating(false);
        bundle.set_formatter(Some(|value, _| match value {
            FluentValue::Number(number) => Some(grouped(&number.as_string())),
            _ => None,
        }));
        bundle.add_resource(resource).expect("no key stands twice in the built-in catalogue");
        Self(bundle)
    }

    /// What the key says. An unknown key says its own name, which is better than nothing.
    pub fn say<'a>(&'a self, key: &'a str) -> Cow<'a, str> {
        self.format(key, None)
    }

    /// What the key says of `args`.
    pub fn say_with<'a, const N: usize>(
        &'a self,
        key: &'a str,
        args: [(&'static str, FluentValue<'_>); N],
    ) -> String {
        let args: FluentArgs<'_> = args.into_iter().collect();
        self.format(key, Some(&args)).into_owned()
    }

    /// So many things, as `count-records` or `ago-days` says it.
    pub fn count(&self, key: &str, n: u64) -> String {
        self.say_with(key, [("n", n.into())])
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &str) -> bool {
        self.0.has_message(key)
    }

    fn format<'a>(&'a self, key: &'a str, args: Option<&FluentArgs<'_>>) -> Cow<'a, str> {
        let Some(pattern) = self.0.get_message(key).and_then(|message| message.value()) else {
            return key.into();
        };
        let mut errors = Vec::new();
        match args {
            None => self.0.format_pattern(pattern, None, &mut errors),
            Some(args) => {
                self.0.format_pattern(pattern, Some(args), &mut errors).into_owned().into()
            }
        }
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Catalogue")
    }
}

/// `31200` as `31 200`.
fn grouped(digits: &str) -> String {
    let whole = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let mut out = String::with_capacity(digits.len() + whole / 3);
    for (at, c) in digits.char_indices() {
        if at > 0 && at < whole && (whole - at) % 3 == 0 {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
#[path = "catalogue/tests.rs"]
mod tests;
