//! What values of a column must be beyond their type. A refusal names the bound, which is ours, and not the value.

use jiff::tz::TimeZone;
use marsad_shared::{
    bound::{Bound, End, Pattern},
    feed::Field,
    record::Value,
    untrusted::settled_at_most,
};

use super::Why;

/// The bounds of a column, and what its text must look like.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    bounds: Vec<(End, Bound, String)>,
    pattern: Option<(Pattern, String)>,
}

/// How much of a pattern is named, in characters.
const SHOWN: usize = 80;

impl Limits {
    /// Whether anything may stand there.
    pub(super) const fn are_none(&self) -> bool {
        self.bounds.is_empty() && self.pattern.is_none()
    }

    /// Those of `field`, whose times are of `zone`. The configuration was checked: what it says can be read.
    pub(super) fn of(field: &Field, zone: &TimeZone) -> Self {
        let rules = &field.rules;
        let bound = |(end, text): (End, &Option<String>)| {
            let text = text.as_deref()?;
            Some((end, Bound::of(field.kind, text, zone)?, text.to_owned()))
        };
        let pattern = rules
            .pattern
            .as_deref()
            .and_then(|text| Some((text.parse().ok()?, settled_at_most(text, SHOWN))));
        let bounds = [(End::Min, &rules.min), (End::Max, &rules.max)];
        Self { bounds: bounds.into_iter().filter_map(bound).collect(), pattern }
    }

    /// Whether a value is within them. Nothing is.
    ///
    /// # Errors
    /// Which of them it is beyond.
    pub(super) fn check(&self, value: Value<'_>) -> Result<(), Why> {
        for (end, bound, text) in &self.bounds {
            if !bound.allows(*end, value) {
                let (beyond, remedy) = match end {
                    End::Min => ("is less than", "mend the value, or lower `min`"),
                    End::Max => ("is more than", "mend the value, or raise `max`"),
                };
                return Err(format!("{beyond} {text}; {remedy}").into());
            }
        }
        match (&self.pattern, value) {
            (Some((pattern, shown)), Value::Text(text)) if !pattern.fits(text) => {
                Err(format!("does not match {shown}; mend the value, or `pattern`").into())
            }
            _ => Ok(()),
        }
    }
}
