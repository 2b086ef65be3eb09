//! An item of quarantine, line by line: what is known of it, what would mend it, and how it came, masked.

use marsad_shared::{
    protocol::{Original, QuarantineItem},
    quarantine::{Kind, Laid},
};

use super::{fact, quarantined};
use crate::{
    model::{Fact, Label, Model, Weight},
    text,
};

/// What the names and the frame take of a line, in cells: a quarter, and what stands around.
const BESIDE: usize = 6;

pub(super) fn facts(model: &Model, item: &QuarantineItem) -> Vec<Fact> {
    let mut facts = told(model, "fact-fix", &item.fix, Weight::Calm);
    let Original { notation, cut, values, .. } = &item.original;
    let key = match (values, item.row.kind) {
        (Some(_), _) => "fact-as_it_came",
        (None, Kind::Row) => "fact-not_apart",
        (None, Kind::File) => "fact-whole_file",
    };
    let notation = notation.clone().unwrap_or_default();
    let said = model
        .say_with(key, [("notation", notation.into()), ("id", item.row.id.to_string().into())]);
    facts.extend(told(model, "fact-original", &said, Weight::Calm));
    facts.extend(values.iter().flatten().map(value));
    if *cut {
        facts.push(fact("fact-original", model.say("fact-cut")));
    }
    // What stands above the list already comes last.
    facts.extend(quarantined(model, &item.row, item.first_at));
    facts
}

/// A value beside its name; what it was refused for is marked without colour too.
fn value(laid: &Laid) -> Fact {
    let mark = if laid.marked { "> " } else { "  " };
    Fact {
        name: Label::Column(format!("{mark}{}", laid.name)),
        value: laid.value.clone().unwrap_or_else(|| "-".to_owned()),
        weight: if laid.marked { Weight::Warn } else { Weight::Calm },
    }
}

/// A sentence on as many lines as it takes: nobody can scroll to the right.
pub(super) fn told(model: &Model, key: &'static str, said: &str, weight: Weight) -> Vec<Fact> {
    let width = (usize::from(model.size.0) * 3 / 4).saturating_sub(BESIDE).max(20);
    let parts = text::wrap(said, width).into_iter().enumerate();
    let line = |(at, part): (usize, String)| Fact {
        name: if at == 0 { Label::Key(key) } else { Label::Column(String::new()) },
        value: part,
        weight,
    };
    parts.map(line).collect()
}
