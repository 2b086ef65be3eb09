//! The footer of a message: what a service says of its own answer, behind the data or in place of them.

use crate::decode::xml::tags::Tag;

/// The codes of the standard's errors. Those of a service's own begin behind them, and say of themselves how grave they are.
const ERRORS: std::ops::RangeInclusive<u32> = 100..=999;

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Footer(Vec<Notice>);

/// One thing that is said.
#[derive(Debug)]
struct Notice {
    code: String,
    /// Whether the data are not all there is, or none of them.
    grave: bool,
    text: String,
    /// In how many languages it was said.
    texts: usize,
}

impl Footer {
    /// An element opens inside those that are `open`.
    pub(super) fn open(&mut self, tag: &Tag, open: &[String]) {
        match (open, &*tag.name) {
            ([.., footer], "Message") if footer == "Footer" => {
                let code = tag.attribute("code").unwrap_or_default().trim().to_owned();
                let severity = tag.attribute("severity").unwrap_or_default().trim();
                let grave = severity.eq_ignore_ascii_case("error")
                    || code.parse().is_ok_and(|code| ERRORS.contains(&code));
                self.0.push(Notice { code, grave, text: String::new(), texts: 0 });
            }
            ([.., message], "Text") if message == "Message" => {
                if let Some(notice) = self.0.last_mut() {
                    notice.texts += 1;
                }
            }
            _ => {}
        }
    }

    /// Text stands in a `Text`: the first of a message is kept, others say the same in other languages.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(notice) = self.0.last_mut().filter(|notice| notice.texts == 1) {
            notice.text.push_str(text);
        }
    }

    /// The errors among what was said, each with its code.
    pub(super) fn errors(self) -> Vec<(String, String)> {
        let grave = self.0.into_iter().filter(|notice| notice.grave);
        grave.map(|notice| (notice.code, notice.text.trim().to_owned())).collect()
    }
}
