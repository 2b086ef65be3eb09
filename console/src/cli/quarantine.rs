//! Quarantine: one item with its original.

use marsad_shared::{
    id::QuarantineId,
    protocol::{Original, QuarantineItem, RevealItem},
    quarantine::{Kind, Laid},
    untrusted::{show, show_lines},
};

use super::{
    fail::Done,
    out::Out,
    shown::place,
    when::{Look, size},
};
use crate::client::Client;

/// One item, its original masked. As JSON the answer is a [`QuarantineItem`]: the keys of `quarantine`, and `first_at
/// first_run hash replayable fix original{notation cut values[{name field value masked marked}] text}`.
pub(super) async fn show_item(client: &Client, id: QuarantineId, out: &mut Out) -> Done {
    let item = client.quarantine_item(id).await?;
    Ok(out.answer(&item, |look| told(&item, look))?)
}

/// The same with nothing masked, once it is in the audit; `text` is the original itself.
pub(super) async fn reveal(
    client: &Client,
    id: QuarantineId,
    reason: String,
    out: &mut Out,
) -> Done {
    let item = client.reveal_item(id, &RevealItem { reason }).await?;
    Ok(out.answer(&item, |look| told(&item, look))?)
}

fn told(item: &QuarantineItem, look: &Look) -> String {
    let row = &item.row;
    let first = item.first_at.map_or("-".to_owned(), |at| look.long(at));
    let facts = [
        ("why", row.reason.clone()),
        ("place", place(&row.place)),
        ("first", format!("{first} ({})", item.first_run)),
        ("last", format!("{} ({})", look.long(row.at), row.run)),
        ("size", size(row.bytes)),
        ("hash", item.hash.clone()),
        ("do", item.fix.clone()),
    ];
    let mut lines = vec![format!("{} {} of {}", row.id, row.kind, row.feed)];
    lines.extend(facts.iter().map(|(label, fact)| format!("  {label:<6} {}", show(fact))));
    lines.extend(original(item));
    lines.push(String::new());
    lines.join("\n")
}

fn original(item: &QuarantineItem) -> Vec<String> {
    let Original { notation, cut, values, text } = &item.original;
    let mut lines = vec![String::new()];
    let notation = notation.as_deref().unwrap_or_default();
    match (values, text, item.row.kind) {
        (Some(values), ..) => {
            lines.push(format!("  the row ({notation}), `>` is what it was refused for:"));
            lines.extend(laid(values));
        }
        (None, None, Kind::Row) => lines.push(
            "  the values of the row cannot be told apart, so that none of them is shown"
                .to_owned(),
        ),
        (None, None, Kind::File) if notation == "binary" => {
            lines.push("  it is no text, and cannot be shown here".to_owned());
            return lines;
        }
        (None, None, Kind::File) => {
            lines
                .push("  a whole file cannot be masked, so that nothing of it is shown".to_owned());
        }
        (None, Some(_), _) => {}
    }
    if let Some(text) = text {
        lines.push("  as it came:".to_owned());
        lines.extend(show_lines(text).lines().map(|line| format!("    {line}")));
    } else if values.as_ref().is_none_or(|values| values.iter().any(|value| value.masked)) {
        lines.push(format!("  to see it: marsad reveal {} --reason TEXT", item.row.id));
    }
    if *cut {
        lines.push("  this is its begin: there is more of it".to_owned());
    }
    lines
}

/// Names and values side by side.
fn laid(values: &[Laid]) -> impl Iterator<Item = String> {
    let names: Vec<_> = values.iter().map(|value| show(&value.name).into_owned()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().min(40);
    values.iter().zip(names).map(move |(value, name)| {
        let mark = if value.marked { '>' } else { ' ' };
        let field = match (&value.field, value.masked) {
            (None, true) => "  (no field names it)".to_owned(),
            (Some(field), _) if *field != value.name => format!("  ({})", show(field)),
            _ => String::new(),
        };
        let said = value.value.as_deref().map_or("-".into(), show);
        format!("  {mark} {name:<width$}  {said}{field}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn an_item_says_why_where_what_to_do_and_shows_its_row() {
        let value = |name: &str, field: Option<&str>, value: Option<&str>, masked, marked| Laid {
            name: name.to_owned(),
            field: field.map(str::to_owned),
            value: value.map(str::to_owned),
            masked,
            marked,
        };
        let mut item = QuarantineItem {
            row: samples::quarantine(18),
            first_at: None,
            first_run: marsad_shared::id::RunId(3),
            hash: "ab12".to_owned(),
            replayable: true,
            fix: "mend it".to_owned(),
            original: Original {
                notation: Some("csv".to_owned()),
                cut: true,
                values: Some(vec![
                    value("id", Some("id"), Some("7\u{1b}"), false, false),
                    value("الصف", Some("grade"), Some("ninth"), false, true),
                    value("mother", None, Some("•••"), true, false),
                    value("x", Some("x"), None, false, false),
                ]),
                text: None,
            },
        };
        let look = samples::look(None);
        insta::assert_snapshot!("item", told(&item, &look));
        item.original.text = Some("7,ninth\u{9b}\n8".to_owned());
        item.original.values = None;
        insta::assert_snapshot!("item_revealed", told(&item, &look));
        item.original.text = None;
        insta::assert_snapshot!("item_not_apart", told(&item, &look));
        item.row.kind = Kind::File;
        item.original.notation = Some("binary".to_owned());
        let said = told(&item, &look);
        assert!(said.contains("it is no text") && !said.contains("marsad reveal"), "{said}");
    }
}
