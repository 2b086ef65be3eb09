//! The steps of a JSONPath, as it writes itself: which of them choose among the items of a list.

/// A step that may choose several: `[*]`, `.*`, `[1:3]`, `[?@.a]`. Where it stands in the path, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether names alone lead to it from the one before it, or from the beginning.
    pub(super) is_led_to: bool,
}

enum Kind {
    /// One member or item, or the first of several names that is there.
    Name,
    List,
    /// However deep.
    Deep,
}

/// All such steps, from the outermost inwards.
pub(super) fn lists(path: &str) -> Vec<List> {
    scan(path).0
}

/// The last of them, where names alone lead on from it to the end.
pub(super) fn last_list(path: &str) -> Option<List> {
    let (mut lists, leads_on) = scan(path);
    lists.pop().filter(|list| leads_on && list.end < path.len())
}

/// All of them, and whether names alone lead on from the last one.
fn scan(path: &str) -> (Vec<List>, bool) {
    let mut lists = Vec::new();
    let (mut at, mut is_led_to) = ('$'.len_utf8(), true);
    while let Some((kind, len)) = path.get(at..).and_then(step) {
        let (start, end) = (at, at + len);
        at = end;
        match kind {
            Kind::Name => {}
            Kind::Deep => is_led_to = false,
            Kind::List => {
                lists.push(List { start, end, is_led_to });
                is_led_to = true;
            }
        }
    }
    (lists, is_led_to)
}

/// The first step of what is left of a path, and how long it is, in bytes.
fn step(rest: &str) -> Option<(Kind, usize)> {
    if let Some(deep) = rest.strip_prefix("..") {
        let len = if deep.starts_with('[') { step(deep)?.1 } else { name(deep) };
        return Some((Kind::Deep, 2 + len));
    }
    if let Some(named) = rest.strip_prefix('.') {
        let kind = if named.starts_with('*') { Kind::List } else { Kind::Name };
        return Some((kind, 1 + name(named)));
    }
    let inside = rest.strip_prefix('[')?;
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    let (mut commas, mut colons, mut names) = (false, false, false);
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => (quote, names) = (Some(c), true),
            (None, '[' | '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ']') if depth == 0 => {
                let chooses = inside.starts_with(['*', '?']) || colons || commas && !names;
                return Some((if chooses { Kind::List } else { Kind::Name }, at + 2));
            }
            (None, ']') => depth -= 1,
            (None, ',') => commas = true,
            (None, ':') => colons = true,
            _ => {}
        }
    }
    None
}

/// How long a name is that nothing encloses, in bytes.
fn name(rest: &str) -> usize {
    rest.find(['.', '[']).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use serde_json_path::JsonPath;

    use super::*;

    #[test]
    fn the_lists_of_a_path_are_told_from_its_names() {
        for (text, expected, last) in [
            ("$.data", "", ""),
            ("$.data[*]", "$.data", ""),
            ("$.data[*].record", "$.data", "$.data[*]"),
            ("$.regions[*].items[*]", "$.regions $.regions[*].items", ""),
            ("$.regions.*.items[*]", "$.regions $.regions.*.items", ""),
            ("$.regions[0:10].items[*]", "$.regions $.regions[0:10].items", ""),
            ("$.regions[?@.a['x]'] == 'b]'].items[*].r", "a b", "c"),
            ("$['a','b'][*]", "$['a','b']", ""),
            ("$..items[*]", "!$..items", ""),
            ("$.a[*]..b", "$.a", ""),
        ] {
            let path = JsonPath::parse(text).unwrap().to_string();
            let found = lists(&path);
            let last_is = last_list(&path).map(|list| path.get(..list.end).unwrap().to_owned());
            if expected == "a b" {
                assert_eq!(found.len(), 2, "{path}: {found:?}");
                assert_eq!(
                    last_is.as_deref(),
                    path.strip_suffix(".r").or(path.strip_suffix("['r']"))
                );
                continue;
            }
            let written = |path: &str| JsonPath::parse(path).unwrap().to_string();
            let starts: Vec<_> = found
                .iter()
                .map(|list| {
                    format!(
                        "{}{}",
                        if list.is_led_to { "" } else { "!" },
                        path.get(..list.start).unwrap()
                    )
                })
                .collect();
            let wanted: Vec<_> = expected
                .split(' ')
                .filter(|path| !path.is_empty())
                .map(|path| match path.strip_prefix('!') {
                    Some(path) => format!("!{}", written(path)),
                    None => written(path),
                })
                .collect();
            assert_eq!(starts, wanted, "{path}");
            assert_eq!(
                last_is.unwrap_or_default(),
                if last.is_empty() { String::new() } else { written(last) }
            );
        }
    }
}
