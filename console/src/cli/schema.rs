//! A feed's columns: what they are, what came otherwise, and deciding of it.

use std::fmt::Write as _;

use marsad_shared::{
    drift::Decision,
    feed::FieldType,
    id::FeedId,
    protocol::{ColumnRow, DriftRow, SchemaOrder, SchemaReply, SchemaRow, SchemaVerb},
    untrusted::show,
};

use super::{
    args,
    fail::Done,
    out::Out,
    table::{Cell, Column, Table, Tone},
    when::Look,
};
use crate::client::Client;

const COLUMNS: &[Column] = &[
    Column::Left("COLUMN"),
    Column::Left("TYPE"),
    Column::Left("IS"),
    Column::Time("SINCE"),
    Column::Left("RUN"),
];
const DRIFT: &[Column] = &[
    Column::Left("CAME OTHERWISE"),
    Column::Left("CHANGE"),
    Column::Left("TYPE"),
    Column::Left("DECISION"),
    Column::Time("FIRST"),
    Column::Left("RUN"),
    Column::Right("RUNS"),
    Column::Left("BY"),
];

/// Shows the columns. As JSON the answer is a [`SchemaRow`] `{feed frozen columns[{name type key required sensitive since_at
/// since_run}] drift[{field change type first_run last_run runs first_at last_at decision decided_at actor reason}]}`.
pub(super) async fn schema(client: &Client, feed: FeedId, out: &mut Out) -> Done {
    let row = client.schema(feed).await?;
    Ok(out.answer(&row, |look| shown(&row, look))?)
}

/// Decides of what came otherwise. As JSON the answer is a [`SchemaReply`] `{feed decided[…] added[] declare[]}`.
pub(super) async fn decide(
    client: &Client,
    verb: SchemaVerb,
    order: args::Settle,
    out: &mut Out,
) -> Done {
    let args::Settle { feed, columns, reason } = order;
    let reply = client.settle(&SchemaOrder { feed, verb, columns, reason }).await?;
    Ok(out.answer(&reply, |_| did(&reply))?)
}

fn shown(row: &SchemaRow, look: &Look) -> String {
    let whence = match (row.frozen, row.columns.is_empty()) {
        (true, _) => "its columns are those of its first data, and change by decisions",
        (false, true) => "it has no columns yet: nothing has been read",
        (false, false) => "its columns are those that the configuration declares",
    };
    let mut text = format!("{}: {whence}\n", row.feed);
    if !row.columns.is_empty() {
        let columns: Vec<_> = row.columns.iter().map(|column| column_cells(column, look)).collect();
        text += "\n";
        text += &Table::new(COLUMNS).page(&columns, look);
    }
    // What stood beside declared fields from the first is no news.
    let drift = row.drift.iter().filter(|drift| drift.decision != Decision::Known);
    let drift: Vec<_> = drift.map(|drift| drift_cells(drift, look)).collect();
    if !drift.is_empty() {
        text += "\n";
        text += &Table::new(DRIFT).page(&drift, look);
    }
    if row.drift.iter().any(|drift| drift.decision == Decision::Open) {
        let feed = &row.feed;
        let _ = writeln!(
            text,
            "\nto decide: marsad schema approve {feed} [COLUMN…], or marsad schema refuse {feed} [COLUMN…]"
        );
    }
    text
}

fn column_cells(column: &ColumnRow, look: &Look) -> Vec<Cell> {
    let is = [(column.key, "key"), (column.required, "required"), (column.sensitive, "sensitive")];
    let is: Vec<_> = is.into_iter().filter(|(yes, _)| *yes).map(|(_, word)| word).collect();
    vec![
        Cell::new(&column.name),
        Cell::of(&column.r#type),
        Cell::maybe((!is.is_empty()).then(|| is.join(", "))),
        Cell::maybe(column.since_at.map(|at| look.short(at))),
        Cell::maybe(column.since_run),
    ]
}

fn drift_cells(drift: &DriftRow, look: &Look) -> Vec<Cell> {
    let tone = match drift.decision {
        Decision::Open if drift.change.holds() => Tone::Bad,
        Decision::Open => Tone::Warn,
        _ => Tone::Dim,
    };
    vec![
        Cell::new(&drift.field),
        Cell::of(&drift.change),
        Cell::maybe(drift.kind.map(FieldType::word)),
        Cell::of(&drift.decision).tone(tone),
        Cell::new(look.short(drift.first_at)),
        Cell::of(&drift.first_run),
        Cell::of(&drift.runs),
        Cell::maybe(drift.actor.as_ref()),
    ]
}

fn did(reply: &SchemaReply) -> String {
    let decided = reply
        .decided
        .iter()
        .map(|row| format!("{} {} is {}", show(&row.field), row.change, row.decision));
    let mut lines = vec![format!("{}: {}", reply.feed, decided.collect::<Vec<_>>().join(", "))];
    if !reply.added.is_empty() {
        let added: Vec<_> = reply.added.iter().map(|name| show(name)).collect();
        lines.push(format!("its table has {} from now on", added.join(", ")));
    }
    if !reply.declare.is_empty() {
        lines.push(
            "its columns are declared: what is approved is one once this stands in `fields`"
                .to_owned(),
        );
        lines.extend(reply.declare.iter().map(|line| format!("  {}", show(line))));
    }
    lines.join("\n  ") + "\n"
}

#[cfg(test)]
mod tests {
    use marsad_shared::{drift::Change, id::RunId};

    use super::*;
    use crate::cli::samples::{ago, look};

    fn drift(field: &str, change: Change, decision: Decision) -> DriftRow {
        DriftRow {
            field: field.to_owned(),
            change,
            kind: (change == Change::New).then_some(FieldType::Text),
            first_run: RunId(7),
            last_run: RunId(9),
            runs: 3,
            first_at: ago(3_600),
            last_at: ago(60),
            decision,
            decided_at: None,
            actor: None,
            reason: None,
        }
    }

    fn row() -> SchemaRow {
        let column = |name: &str, key| ColumnRow {
            name: name.to_owned(),
            r#type: FieldType::Text,
            key,
            required: key,
            sensitive: false,
            since_at: Some(ago(86_400)),
            since_run: Some(RunId(1)),
        };
        SchemaRow {
            feed: "courts/cases".parse().unwrap(),
            frozen: true,
            columns: vec![column("no", true), column("kind", false)],
            drift: vec![
                drift("kind", Change::Gone, Decision::Open),
                drift("so\u{1b}rt", Change::New, Decision::Open),
                drift("beside", Change::New, Decision::Known),
            ],
        }
    }

    #[test]
    fn columns_are_shown_with_what_came_otherwise_and_how_to_decide() {
        assert_eq!(
            shown(&row(), &look(None)),
            "courts/cases: its columns are those of its first data, and change by decisions\n\n\
             COLUMN  TYPE  IS             SINCE +04:00          RUN\n\
             no      text  key, required  02-28 16:00 (1d ago)  r1\n\
             kind    text  -              02-28 16:00 (1d ago)  r1\n\n\
             CAME OTHERWISE  CHANGE  TYPE  DECISION  FIRST +04:00    RUN  RUNS  BY\n\
             kind            gone    -     open      15:00 (1h ago)  r7      3  -\n\
             so\\u{1b}rt      new     text  open      15:00 (1h ago)  r7      3  -\n\n\
             to decide: marsad schema approve courts/cases [COLUMN…], or marsad schema refuse courts/cases [COLUMN…]\n"
        );
        let empty = SchemaRow { frozen: false, columns: Vec::new(), drift: Vec::new(), ..row() };
        assert_eq!(
            shown(&empty, &look(None)),
            "courts/cases: it has no columns yet: nothing has been read\n"
        );
    }

    #[test]
    fn a_decision_says_what_it_did_and_what_is_to_be_written() {
        let mut reply = SchemaReply {
            feed: "courts/cases".parse().unwrap(),
            decided: vec![drift("sort", Change::New, Decision::Approved)],
            added: vec!["sort".to_owned()],
            declare: Vec::new(),
        };
        assert_eq!(
            did(&reply),
            "courts/cases: sort new is approved\n  its table has sort from now on\n"
        );
        (reply.added, reply.declare) = (Vec::new(), vec!["sort = \"text\"".to_owned()]);
        assert_eq!(
            did(&reply),
            "courts/cases: sort new is approved\n  its columns are declared: what is approved is one once this stands in `fields`\n    sort = \"text\"\n"
        );
    }
}
