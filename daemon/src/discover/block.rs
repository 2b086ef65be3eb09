//! The proposal as TOML: a `[[feed]]` block with its explanations as comments. Names of the partner's stand in it as TOML
//! strings, in which whatever a terminal would obey is escaped; values of the sample do not stand in it at all.

use std::fmt::Write as _;

use marsad_shared::{feed::FieldType, untrusted::show};

use super::{
    column::Column,
    key::Key,
    paging::{Count, Kind, Next, Paging},
};

/// A block that grows line by line.
#[derive(Default)]
pub(super) struct Block(String);

/// As far as a comment behind a line reaches, in characters; a longer one stands above it.
const WIDTH: usize = 120;

impl Block {
    /// A line of explanation.
    pub(super) fn say(&mut self, text: &str) {
        let _ = writeln!(self.0, "# {text}");
    }

    pub(super) fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// `name = text`, both as written, with a comment.
    pub(super) fn noted(&mut self, line: &str, note: Option<&str>) {
        match note {
            Some(note) if line.chars().count() + note.chars().count() + 4 <= WIDTH => {
                let _ = writeln!(self.0, "{line}  # {note}");
            }
            Some(note) => {
                self.say(note);
                self.line(line);
            }
            None => self.line(line),
        }
    }

    /// `name = "text"`.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        let _ = writeln!(self.0, "{name} = {}", quoted(text));
    }

    pub(super) fn key(&mut self, key: &Key) {
        let names: Vec<_> = key.columns.iter().map(|name| quoted(name)).collect();
        self.noted(&format!("key = [{}]", names.join(", ")), Some(key.why));
    }

    pub(super) fn paging(&mut self, paging: &Paging) {
        let guess =
            "guess: the names of parameters are the partner's to tell; compare its documentation";
        self.noted(&format!("pagination = {}", written(paging)), paging.guessed.then_some(guess));
    }

    /// The columns, in a table of their own, which ends the block.
    pub(super) fn fields(&mut self, columns: &[Column]) {
        if columns.is_empty() {
            return;
        }
        self.line("[feed.fields]");
        for column in columns {
            let line = format!("{} = {}", key_of(&column.name), field(column));
            self.noted(&line, column.note);
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

fn field(column: &Column) -> String {
    let Column { from, kind, format, sensitive, nothing, utc, .. } = column;
    if from.is_none() && format.is_none() && !sensitive && !nothing && !utc {
        return quoted(kind.word());
    }
    let mut parts = vec![format!("type = {}", quoted(kind.word()))];
    parts.extend(from.as_ref().map(|from| format!("from = {}", quoted(from))));
    parts.extend(format.as_ref().map(|format| format!("format = {}", quoted(format))));
    parts.extend(utc.then(|| "zone = \"UTC\"".to_owned()));
    parts.extend(nothing.then(|| "nothing = [\"false\"]".to_owned()));
    parts.extend(sensitive.then(|| "sensitive = true".to_owned()));
    format!("{{ {} }}", parts.join(", "))
}

fn written(paging: &Paging) -> String {
    let mut parts = Vec::new();
    let mut put = |name: &str, text: &str| parts.push(format!("{name} = {}", quoted(text)));
    match &paging.kind {
        Kind::Link => put("kind", "link"),
        Kind::NextUrl { next } => {
            put("kind", "next_url");
            put_next(next, put);
        }
        Kind::Cursor { param, next, .. } => {
            put("kind", "cursor");
            put("param", param);
            put_next(next, put);
        }
        Kind::BodyCursor { next } => {
            put("kind", "cursor");
            put("param", "variables.after");
            put("place", "body");
            put("next", next);
        }
        Kind::Page { param, .. } => {
            put("kind", "page");
            put("param", param);
        }
        Kind::Offset { param, .. } => {
            put("kind", "offset");
            put("param", param);
        }
    }
    if let Kind::Cursor { replaces, .. } = &paging.kind
        && !replaces.is_empty()
    {
        let names: Vec<_> = replaces.iter().map(|name| quoted(name)).collect();
        parts.push(format!("replaces = [{}]", names.join(", ")));
    }
    if let Kind::Page { start: start @ 0, .. } | Kind::Offset { start: start @ 1, .. } = paging.kind
    {
        parts.push(format!("start = {start}"));
    }
    if let Some((param, size)) = &paging.size {
        parts.push(format!("size_param = {}, size = {size}", quoted(param)));
    }
    // One of them says where it ends.
    let at = |name: &str, path: &String| format!("{name} = {}", quoted(path));
    let more = paging.more.as_ref().map(|path| at("more", path));
    let total = || paging.total.as_ref().map(count);
    let pages = || paging.total_pages.as_ref().map(|path| at("total_pages", path));
    parts.extend(more.or_else(total).or_else(pages));
    parts.extend(paging.end.as_ref().map(|path| format!("end = {}", quoted(path))));
    format!("{{ {} }}", parts.join(", "))
}

/// Where the number of all records stands, as `pagination` has it.
pub(super) fn count(count: &Count) -> String {
    match count {
        Count::Body(path) => format!("total = {}", quoted(path)),
        Count::Header(name) => format!("total_header = {}", quoted(name)),
    }
}

fn put_next(next: &Next, mut put: impl FnMut(&str, &str)) {
    match next {
        Next::Body(path) => put("next", path),
        Next::Header(name) => put("next_header", name),
    }
}

/// What would be written to read only changes by that column, with the parameter that asks for them and what it says, in
/// which `{field}` is the column as the partner names it.
pub(super) fn incremental(column: &Column, param: Option<(&str, Option<&str>)>) -> String {
    let mut parts = vec![format!("field = {}", quoted(&column.name))];
    parts.extend(param.map(|(param, _)| format!("param = {}", quoted(param))));
    let value = param.and_then(|(_, value)| value);
    // `{cursor}` is the cursor's place; the column's goes in here.
    let value =
        value.map(|value| value.replace("{field}", column.from.as_deref().unwrap_or(&column.name)));
    parts.extend(value.map(|value| format!("value = {}", quoted(&value))));
    if column.kind == FieldType::Timestamp {
        parts.extend(column.format.as_ref().map(|format| format!("format = {}", quoted(format))));
    }
    format!("incremental = {{ {} }}", parts.join(", "))
}

/// A key of a table.
fn key_of(name: &str) -> String {
    let bare =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { quoted(name) }
}

/// A TOML string. What nobody sees, or a terminal obeys, is escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if hides(c) && u32::from(c) <= 0xFFFF => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c if hides(c) => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn hides(c: char) -> bool {
    !c.is_ascii_graphic() && c != ' ' && show(c.encode_utf8(&mut [0; 4])).starts_with('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were_and_no_terminal_obeys_them() {
        for name in [
            "plain",
            "رقم الهوية",
            "a\"b\\c",
            "x\u{1b}[2J",
            "a\u{202e}b",
            "tag\u{e0041}",
            "new\nline",
        ] {
            let line = format!("{} = {}", key_of(name), quoted(name));
            let table: toml::Table = line.parse().unwrap();
            assert_eq!(table.get(name).and_then(toml::Value::as_str), Some(name), "{line}");
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        }
        assert!(quoted("رقم").contains("رقم"), "ordinary letters stay readable");
    }
}
