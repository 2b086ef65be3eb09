//! What a partner says of its next page: whatever it is, the walk ends, stays where our credentials belong, and never goes
//! in a circle.

use std::{collections::HashSet, fmt::Write as _, sync::LazyLock};

use marsad_daemon::{
    decode::Scalar,
    source::{
        asking::{Asker, Leg},
        link,
        walk::{Ask, Facts, Onward, Walker},
    },
};
use marsad_shared::{
    config::{Config, Environment},
    feed::{Feed, Origin},
};

use crate::{Choices, TIME};

#[test]
fn the_next_of_a_link_header_is_a_piece_of_it() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let parts = [
            "<",
            ">",
            ";",
            ",",
            "\"",
            "rel",
            "=",
            "next",
            "prev",
            " ",
            "rel=next",
            "rel=\"next\"",
            "<http://a/1>",
            "?a,b;c",
            "\\",
            "قيد",
            "\u{0}",
            "title=",
        ];
        let header: String = (0..choices.below(24)).map(|_| *choices.one(&parts)).collect();
        if let Some(target) = link::next(&header) {
            assert!(header.contains(&format!("<{target}")) || header.contains(&target), "{header}");
            assert!(!target.contains('>'), "{header}");
            assert!(header.to_ascii_lowercase().contains("next"), "{header}");
        }
        let raw = String::from_utf8_lossy(bytes);
        let _ = link::next(&raw);
        // A link that is written as it should be is found, whatever stands before it.
        if !raw.contains(['<', '>', '"']) {
            let whole = format!("{raw}, <http://a/2>; rel=\"next\"");
            assert_eq!(link::next(&whole).as_deref(), Some("http://a/2"), "{whole}");
        }
    });
}

#[test]
fn every_walk_ends_within_its_limits_and_its_origin() {
    static FEEDS: LazyLock<Vec<Feed>> = LazyLock::new(feeds);
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let feed = choices.one(&FEEDS);
        let Origin::Http(request) = &feed.origin else { return };
        let base = "http://p.example/api".parse().unwrap();
        let asks = Asker::new(&base, feed, request);
        let mut walker = Walker::new(request);
        let (mut ask, leg, mut met) = (Ask::First, Leg::default(), HashSet::new());
        let (mut pages, mut stays) = (0, false);
        loop {
            let Ok(call) = asks.call(&leg, &ask) else { break };
            assert_eq!(call.url.origin(), base.origin(), "credentials never leave");
            let again = !met.insert(format!("{ask:?}"));
            assert!(!again || stays, "nothing is asked for twice in a walk");
            pages += 1;
            assert!(pages <= request.pagination.max_pages, "a walk without end");
            let facts = facts(&mut choices);
            match walker.next(&ask, &facts) {
                Ok(Onward::Page(next)) => {
                    // But once more what stood still, and may have been at its end.
                    stays = facts.rows == 0 && next == ask && !again;
                    ask = next;
                }
                Ok(Onward::Split) => panic!("none of these feeds is split"),
                Ok(Onward::End) | Err(_) => break,
            }
        }
    });
}

fn facts(choices: &mut Choices<'_>) -> Facts {
    let words = [
        "a",
        "b",
        "",
        "0",
        "7",
        "18446744073709551615",
        "-1",
        "true",
        "FALSE",
        "{\"href\":\"/x\"}",
        "{",
        "http://p.example/api/2",
        "http://evil.example/",
        "//evil.example/x",
        "?page=3",
        "\u{202e}",
        "https://p.example/api",
        "http://p.example@evil.example/",
    ];
    let mut scalar = || match choices.below(4) {
        0 => Scalar::Absent,
        1 => Scalar::Null,
        3 => Scalar::Json((*choices.one(&words)).to_owned()),
        _ => Scalar::Text((*choices.one(&words)).to_owned()),
    };
    let (next, more, total) = (scalar(), scalar(), scalar());
    let link = next.text().map(|text| format!("<{text}>; rel=\"next\""));
    let (rows, content) = (choices.below(4) as u64, choices.below(256) as u64);
    let nothing = choices.below(16) == 1;
    Facts { rows, next, more, total, link, content, nothing, ..Facts::default() }
}

/// A feed for every kind of paging and every stop rule that it can have.
fn feeds() -> Vec<Feed> {
    let more = "more = \"$.more\"";
    let total = "total = \"$.total\"";
    let paging = [
        "kind = \"none\"".to_owned(),
        "kind = \"page\", param = \"p\"".to_owned(),
        "kind = \"page\", param = \"p\", start = 0, first = false, total_pages = \"$.total\""
            .to_owned(),
        "kind = \"page\", param = \"p\", size_param = \"n\", size = 2, stop = \"short\"".to_owned(),
        format!("kind = \"offset\", param = \"o\", {more}"),
        format!("kind = \"offset\", param = \"o\", {total}"),
        "kind = \"cursor\", param = \"c\", next = \"$.next\"".to_owned(),
        "kind = \"cursor\", param = \"c\", next = \"$.next\", stop = \"null\"".to_owned(),
        format!("kind = \"cursor\", param = \"c\", next = \"$.next\", {more}"),
        "kind = \"next_url\", next = \"$.next\"".to_owned(),
        "kind = \"link\"".to_owned(),
    ];
    configured(paging.iter().map(|paging| format!("{paging}, max_pages = 20")), "")
}

/// A feed for each of these ways of paging, with further lines.
pub(crate) fn configured(paging: impl Iterator<Item = String>, lines: &str) -> Vec<Feed> {
    let folder = tempfile::tempdir().unwrap();
    let mut file = "[partner]\nid = \"p\"\n[[connection]]\nid = \"api\"\nbase_url = \"http://p.example/api\"\n".to_owned();
    for (number, pagination) in paging.enumerate() {
        let _ = write!(
            file,
            "[[feed]]\nid = \"f{number}\"\nconnection = \"api\"\npath = \"/x?a=1\"\nkey = [\"id\"]\n\
             pagination = {{ {pagination} }}\n{lines}\n"
        );
    }
    let partners = folder.path().join("partners.d");
    std::fs::create_dir(&partners).unwrap();
    std::fs::write(partners.join("p.toml"), file).unwrap();
    let marsad = folder.path().join("marsad.toml");
    std::fs::write(&marsad, "").unwrap();
    Config::load(&marsad, &Environment::empty()).unwrap().feeds
}
