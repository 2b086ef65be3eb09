//! Mistakes in what fields refer to.

use super::{Folder, HTTP, said_of};

/// A feed with columns `keys` and a key of `key`, in five lines.
fn feed(id: &str, key: &str, fields: &str) -> String {
    format!(
        "[[feed]]\nid = \"{id}\"\nconnection = \"api\"\npath = \"/{id}\"\nkey = [{key}]\nfields = {{ {fields} }}\n"
    )
}

/// A field that refers to `to`.
fn refers(to: &str) -> String {
    format!("no = \"text\", family = {{ type = \"text\", references = \"{to}\" }}")
}

fn partner(id: &str, feeds: &[String]) -> String {
    format!("[partner]\nid = \"{id}\"\n{HTTP}{}", feeds.concat())
}

#[test]
fn a_field_refers_to_the_key_of_another_feed() {
    let families = feed("families", "\"id\"", "id = \"text\", name = \"text\"");
    let visits = feed("visits", "\"home\", \"at\"", "home = \"text\", at = \"date\"");
    let counts = feed("counts", "\"n\"", "n = \"integer\"");
    let at = "11: feed.cases.fields.family.references";
    for (to, expected) in [
        ("families", None),
        ("families.id", None),
        ("courts/families.id", None),
        ("visits.home", None),
        ("", Some("is empty; write it as text in quotes")),
        (
            "families.",
            Some(
                "\"families.\" names no feed; write \"feed\", \"feed.column\" or \"partner/feed.column\"",
            ),
        ),
        ("cases.no", Some("is the feed itself; name another feed, or take it out")),
        ("familes", Some("courts/familes is no feed; did you mean courts/families?")),
        ("zoo/zebras", Some("zoo/zebras is no feed; name one that is configured")),
        (
            "visits",
            Some("courts/visits has a key of 2 columns; name its first: \"courts/visits.home\""),
        ),
        (
            "families.name",
            Some(
                "\"name\" is not the key of courts/families; a reference is looked up by the key: \"courts/families.id\"",
            ),
        ),
        (
            "visits.at",
            Some(
                "\"at\" is not the key of courts/visits; a reference is looked up by the key: \"courts/visits.home\"",
            ),
        ),
        (
            "counts",
            Some(
                "is of type text, and \"n\" of courts/counts of type integer; no value of one is ever one of the other: type both alike",
            ),
        ),
    ] {
        let cases = feed("cases", "\"no\"", &refers(to));
        let feeds = [cases, families.clone(), visits.clone(), counts.clone()];
        let expected: Vec<_> = expected.map(|said| format!("{at}: {said}")).into_iter().collect();
        assert_eq!(said_of(&partner("courts", &feeds)), expected, "{to}");
    }
}

#[test]
fn references_lead_into_other_files_and_never_in_a_circle() {
    let (cases, homes) = (feed("cases", "\"no\"", &refers("social/homes")), |to: &str| {
        feed("homes", "\"no\"", &refers(to))
    });
    let said = |to: &str| {
        let (courts, social) =
            (partner("courts", std::slice::from_ref(&cases)), partner("social", &[homes(to)]));
        Folder::new("", &[("courts", &courts), ("social", &social)]).said()
    };
    let circle = |file: &str, feed: &str, to: &str| {
        format!(
            "partners.d/{file}.toml:11: feed.{feed}.fields.family.references: {to} refers back here, so that neither could be read first; take one of the references out"
        )
    };
    assert_eq!(
        said("courts/cases"),
        [circle("courts", "cases", "social/homes"), circle("social", "homes", "courts/cases")]
    );
    // What a wrong file would say nobody knows.
    let broken = "[partner]\nid = \"social\"\nname = 5\n";
    let folder = Folder::new("", &[("courts", &partner("courts", &[cases])), ("social", broken)]);
    assert_eq!(folder.said().len(), 1, "only what is wrong there: {:?}", folder.said());
}
