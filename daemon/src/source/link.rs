//! What leads on as a link: the target of a `Link` header (RFC 8288), and what a link carries.

/// The target of `rel="next"`; `None` where no link is one.
pub fn next(header: &str) -> Option<String> {
    let is_next = |link: &Link<'_>| {
        parts(link.parameters, ';').any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let rels = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && rels.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
        })
    };
    Links(header).flatten().find(is_next).map(|link| link.target.trim().to_owned())
}

/// The value that `param` has in `text`, where that is a link: it can be handed back to where we ask, wherever the link leads
/// (Django's `CursorPagination` behind a proxy, whose links name the inner address).
pub fn value_of(text: &str, param: &str) -> Option<String> {
    let is_link = text.contains("://") || text.starts_with(['/', '?']);
    let (_, query) = text.split_once('?').filter(|_| is_link)?;
    let query = query.split('#').next().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == param).map(|(_, value)| value.into_owned())
}

/// Whether a header that is there holds no link at all, or one that does not end: it may have led on.
pub fn is_broken(header: &str) -> bool {
    !header.trim().is_empty()
        && (Links(header).next().is_none() || Links(header).any(|link| link.is_none()))
}

/// A link as it is written.
struct Link<'h> {
    target: &'h str,
    parameters: &'h str,
}

/// The links of a header that are still to come; `None` among them: one that does not end, the last.
struct Links<'h>(&'h str);

impl<'h> Iterator for Links<'h> {
    type Item = Option<Link<'h>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (_, from) = self.0.split_once('<')?;
        let Some((target, behind)) = from.split_once('>') else {
            self.0 = "";
            return Some(None);
        };
        // Parameters end at the comma before the next target; a quoted one may hold commas and targets of its own.
        let parameters = parts(behind, ',').next().unwrap_or_default();
        self.0 = behind.get(parameters.len()..).unwrap_or_default();
        let ends = !is_quoted(parameters);
        Some(ends.then_some(Link { target, parameters }))
    }
}

/// The parts between `mark`s, of which one in quotes parts nothing.
fn parts(text: &str, mark: char) -> impl Iterator<Item = &str> {
    let mut quotes = Quotes::default();
    text.split(move |c| !quotes.are_around(c) && c == mark)
}

/// Whether a text ends in quotes that were never closed.
fn is_quoted(text: &str) -> bool {
    let mut quotes = Quotes::default();
    text.chars().for_each(|c| _ = quotes.are_around(c));
    quotes.open
}

/// Quotes on the way through a text; behind a backslash one closes nothing.
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    /// Whether quotes are open around the next character.
    fn are_around(&mut self, c: char) -> bool {
        let escaped = std::mem::take(&mut self.escaped);
        match c {
            _ if escaped => {}
            '\\' if self.open => self.escaped = true,
            '"' => self.open = !self.open,
            _ => {}
        }
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_is_found_among_others() {
        for (header, expected) in [
            ("<http://a/1>; rel=\"prev\", <http://a/3>; rel=\"next\"", Some("http://a/3")),
            ("<http://a/3>; title=\"a, b\"; rel=next", Some("http://a/3")),
            ("<http://a/3>;REL=\"last next\"", Some("http://a/3")),
            ("<http://a/1>; rel=\"prev\"", None),
            ("<http://a/1", None),
            ("<http://a/1>; title=\"x; rel=next\"", None),
            ("<http://a/1>; title=\"a <b\"; rel=prev, <http://a/3>; rel=next", Some("http://a/3")),
            ("<http://a/3>; title=\"<c>, <http://a/1>; rel=prev\"; rel=next", Some("http://a/3")),
            (r#"<http://a/1>; title="a \", <http://a/2>; rel=next, ""#, None),
            ("", None),
        ] {
            assert_eq!(next(header).as_deref(), expected, "{header}");
        }
        for (header, broken) in [
            ("<http://a/1>; rel=next", false),
            ("", false),
            ("<http://a/1", true),
            ("http://a/1; rel=next", true),
            ("<http://a/1>; title=\"a <b\"; rel=prev", false),
            ("<http://a/1>; title=\"a, <http://a/2>; rel=next", true),
            ("<http://a/1>; rel=prev, <http://a/2", true),
        ] {
            assert_eq!(is_broken(header), broken, "{header}");
        }
    }
}
