//! What a filter asks of a row: plain words, `field:value`, and `!` for not.

use super::Row;

/// A filter as typed, and what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    not: bool,
    field: Option<String>,
    wanted: String,
}

impl Filter {
    /// Words apart by white space; a row has to satisfy each of them. Letters are alike, large or small.
    pub fn new(text: &str) -> Self {
        let terms = text.split_whitespace().filter_map(|word| {
            let (not, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
            let (field, wanted) = match word.split_once(':') {
                Some((field, wanted)) if !field.is_empty() && !wanted.is_empty() => {
                    (Some(field.to_lowercase()), wanted)
                }
                _ => (None, word),
            };
            let wanted = wanted.to_lowercase();
            (!wanted.is_empty()).then_some(Term { not, field, wanted })
        });
        Self { text: text.to_owned(), terms: terms.collect() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether the row satisfies every word.
    pub fn passes(&self, row: &Row) -> bool {
        if self.is_empty() {
            return true;
        }
        let words: Vec<_> =
            row.words().into_iter().map(|(name, text)| (name, text.to_lowercase())).collect();
        self.terms.iter().all(|term| {
            let hit = words.iter().any(|(name, text)| {
                term.field.as_ref().is_none_or(|field| name.eq_ignore_ascii_case(field))
                    && text.contains(&term.wanted)
            });
            hit != term.not
        })
    }

    /// The one value that `field` must have, if the filter asks for one: so that the daemon can look for it by index.
    pub fn asks(&self, field: &str) -> Option<&str> {
        let mut asked = self
            .terms
            .iter()
            .filter(|term| !term.not && term.field.as_deref() == Some(field))
            .map(|term| term.wanted.as_str());
        asked.next().filter(|_| asked.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use marsad_shared::freshness::Freshness;

    use super::*;
    use crate::model::build;

    #[test]
    fn a_row_has_to_satisfy_every_word() {
        let row = Row::Feed(build::feed("education/enrolments", Freshness::Late).into());
        for (text, expected, why) in [
            ("", true, "nothing is asked"),
            ("  ", true, "nothing either"),
            ("enrol", true, "a part of the id"),
            ("ENROL late", true, "two words, letters alike"),
            ("enrol fresh", false, "one of them does not fit"),
            ("!fresh", true, "not"),
            ("!late", false, "not, but it is"),
            ("state:late", true, "in its field"),
            ("id:late", false, "in another field"),
            ("!state:late", false, "not in its field"),
            ("!", true, "not nothing"),
            ("nosuch:late", false, "a field that it has not"),
        ] {
            assert_eq!(Filter::new(text).passes(&row), expected, "{why}");
        }
    }

    #[test]
    fn only_a_single_plain_demand_goes_to_the_daemon() {
        for (text, expected) in [
            ("state:late", Some("late")),
            ("state:late word", Some("late")),
            ("!state:late", None),
            ("late", None),
            ("state:a state:b", None),
        ] {
            assert_eq!(Filter::new(text).asks("state"), expected, "{text}");
        }
    }
}
