//! Performance data: `'label'=value[UOM];warn;crit;min;max`.

use std::fmt;

use serde::Serialize;

use super::{Code, Range};

/// One measure with its limits. Labels are ours: at most 19 letters, digits and `_`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Perf {
    pub(crate) label: &'static str,
    pub(crate) value: i64,
    /// `s` for seconds, nothing for a count.
    pub(crate) uom: &'static str,
    pub(crate) warn: Option<Range>,
    pub(crate) crit: Option<Range>,
    #[serde(skip)]
    max: Option<i64>,
}

impl Perf {
    pub(super) fn seconds(label: &'static str, value: i64) -> Self {
        Self { label, value, uom: "s", warn: None, crit: None, max: None }
    }

    pub(super) fn count(label: &'static str, value: usize, max: Option<usize>) -> Self {
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        Self { label, value: whole(value), uom: "", warn: None, crit: None, max: max.map(whole) }
    }

    #[must_use]
    pub(super) fn limits(self, warn: Option<Range>, crit: Option<Range>) -> Self {
        Self { warn, crit, ..self }
    }

    /// What its limits say. Critical is judged first; either may be missing.
    pub(super) fn code(&self) -> Code {
        let alerts =
            |range: &Option<Range>| range.as_ref().is_some_and(|range| range.alerts(self.value));
        if alerts(&self.crit) {
            Code::Critical
        } else if alerts(&self.warn) {
            Code::Warning
        } else {
            Code::Ok
        }
    }
}

impl fmt::Display for Perf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |range: &Option<Range>| range.as_ref().map(Range::to_string).unwrap_or_default();
        let (warn, crit) = (text(&self.warn), text(&self.crit));
        write!(f, "{}={}{};{warn};{crit};0", self.label, self.value, self.uom)?;
        self.max.map_or(Ok(()), |max| write!(f, ";{max}"))
    }
}
