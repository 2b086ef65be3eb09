//! The `Link` header (RFC 8288): which target is the next page.

/// The target of `rel="next"`; `None` where no link is one.
pub fn next(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, from)) = rest.split_once('<') {
        let (target, behind) = from.split_once('>')?;
        // Parameters end at the comma before the next target; a quoted one may hold commas of its own.
        let mut quoted = false;
        let end = behind
            .find(|c| {
                quoted ^= c == '"';
                c == ',' && !quoted
            })
            .unwrap_or(behind.len());
        let (parameters, next) = behind.split_at(end);
        let is_next = parameters_of(parameters).any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let rels = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && rels.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target.trim().to_owned());
        }
        rest = next;
    }
    None
}

/// Whether a header that is there holds no link at all, or one that does not end: it may have led on.
pub fn is_broken(header: &str) -> bool {
    let header = header.trim();
    let unclosed = header.rsplit_once('<').is_some_and(|(_, behind)| !behind.contains('>'));
    !header.is_empty() && (unclosed || !header.contains('<'))
}

/// The parameters of a link; a `;` in quotes parts none.
fn parameters_of(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    })
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
            ("", None),
        ] {
            assert_eq!(next(header).as_deref(), expected, "{header}");
        }
        for (header, broken) in [
            ("<http://a/1>; rel=next", false),
            ("", false),
            ("<http://a/1", true),
            ("http://a/1; rel=next", true),
        ] {
            assert_eq!(is_broken(header), broken, "{header}");
        }
    }
}
