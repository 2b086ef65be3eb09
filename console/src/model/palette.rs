//! The palette: commands as text, what they mean, and how one that has been begun could go on.

use marsad_shared::{
    exchange::State,
    freshness::Freshness,
    health::Health,
    id::{ExchangeId, FeedId, QuarantineId, RunId},
    run::Outcome,
};

use super::{Address, Model, View};

/// The most completions that are offered.
const OFFERED: usize = 8;

/// What a line of the palette means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A view, filtered by the words behind it.
    View(View, String),
    Go(Address),
    Resync {
        feed: FeedId,
        full: bool,
    },
    Help,
    Quit,
}

/// What the line means; `None` if it means nothing yet.
pub fn parse(model: &Model, line: &str) -> Option<Command> {
    let line = line.trim();
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match verb {
        "go" => address(model, rest).map(Command::Go),
        "resync" => {
            let (feed, scope) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let feed: FeedId = feed.parse().ok()?;
            let full = match scope.trim() {
                "" | "incremental" => false,
                "full" => true,
                _ => return None,
            };
            model.feed_row(&feed).is_some().then_some(Command::Resync { feed, full })
        }
        "help" if rest.is_empty() => Some(Command::Help),
        "quit" if rest.is_empty() => Some(Command::Quit),
        _ => {
            let view = View::ROOTS.into_iter().find(|view| view.word() == verb)?;
            Some(Command::View(view, rest.to_owned()))
        }
    }
}

/// A thing by its id: `r4821 x1042 q18`, `feed:partner/feed`, `connection:partner/connection`, or the name alone; a
/// record by its feed and its key.
pub fn address(model: &Model, text: &str) -> Option<Address> {
    if let Some((feed, key)) = text.split_once(char::is_whitespace) {
        let row = model.feeds.iter().find(|row| row.id.as_str() == feed)?;
        return Some(Address::Record(row.id.clone(), key.trim().to_owned()));
    }
    if let Some(id) = text.strip_prefix("feed:") {
        return id.parse().ok().map(Address::Feed);
    }
    if let Some(id) = text.strip_prefix("connection:") {
        return id.parse().ok().map(Address::Connection);
    }
    if let Ok(id) = text.parse::<RunId>() {
        return Some(Address::Run(id));
    }
    if let Ok(id) = text.parse::<ExchangeId>() {
        return Some(Address::Exchange(id));
    }
    if let Ok(id) = text.parse::<QuarantineId>() {
        return Some(Address::Quarantine(id));
    }
    let feed = model.feeds.iter().find(|row| row.id.as_str() == text);
    let connection = model.connections.iter().find(|row| row.id.as_str() == text);
    feed.map(|row| Address::Feed(row.id.clone()))
        .or_else(|| connection.map(|row| Address::Connection(row.id.clone())))
}

/// Whole lines that begin like this one, or hold its last word: the best first, at most a few.
pub fn completions(model: &Model, line: &str) -> Vec<String> {
    let line = line.trim_start();
    let Some((verb, rest)) = line.split_once(' ') else {
        let verbs = View::ROOTS.map(View::word).into_iter().chain(["go", "resync", "help", "quit"]);
        return verbs.filter(|verb| verb.starts_with(line)).map(str::to_owned).collect();
    };
    let feeds = || model.feeds.iter().map(|row| row.id.as_str());
    let links = || model.connections.iter().map(|row| row.id.as_str());
    let words: Vec<&str> = match verb {
        "go" => feeds().chain(links()).collect(),
        "resync" => match rest.split_once(' ') {
            Some((feed, scope)) => {
                let scopes = ["incremental", "full"].into_iter();
                return scopes
                    .filter(|word| word.starts_with(scope))
                    .map(|word| format!("{verb} {feed} {word}"))
                    .collect();
            }
            None => feeds().collect(),
        },
        "feeds" => Freshness::ALL.map(Freshness::word).to_vec(),
        "connections" => Health::ALL.map(Health::word).to_vec(),
        "exchanges" => State::ALL.map(State::word).to_vec(),
        "runs" => Outcome::ALL.map(Outcome::word).to_vec(),
        _ => Vec::new(),
    };
    let mut found: Vec<&str> = words.iter().copied().filter(|w| w.contains(rest)).collect();
    found.sort_by_key(|word| !word.starts_with(rest));
    found.into_iter().take(OFFERED).map(|word| format!("{verb} {word}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build;

    fn model() -> Model {
        build::model()
            .feed("education/enrolments", Freshness::Late)
            .feed("health/births", Freshness::Fresh)
            .connection("education/api", Health::Up)
            .build()
    }

    #[test]
    fn a_line_means_one_thing_or_nothing() {
        let model = model();
        for (line, expected) in [
            ("feeds late", Some(Command::View(View::Feeds, "late".to_owned()))),
            (" overview ", Some(Command::View(View::Overview, String::new()))),
            ("go x1042", Some(Command::Go(Address::Exchange(ExchangeId(1042))))),
            ("go r7", Some(Command::Go(Address::Run(RunId(7))))),
            ("go q18", Some(Command::Go(Address::Quarantine(QuarantineId(18))))),
            (
                "go education/api",
                Some(Command::Go(Address::Connection("education/api".parse().unwrap()))),
            ),
            (
                "go health/births  B 7",
                Some(Command::Go(Address::Record(
                    "health/births".parse().unwrap(),
                    "B 7".to_owned(),
                ))),
            ),
            ("go nowhere", None),
            ("go nowhere B-7", None),
            (
                "resync education/enrolments full",
                Some(Command::Resync { feed: "education/enrolments".parse().unwrap(), full: true }),
            ),
            ("resync education/enrolments all", None),
            ("resync education/nosuch", None),
            ("help", Some(Command::Help)),
            ("quit", Some(Command::Quit)),
            ("quit now", None),
            ("", None),
        ] {
            assert_eq!(parse(&model, line), expected, "{line:?}");
        }
    }

    #[test]
    fn what_was_begun_is_completed() {
        let model = model();
        for (line, expected) in [
            ("fe", vec!["feeds"]),
            ("r", vec!["runs", "records", "resync"]),
            ("go bir", vec!["go health/births"]),
            ("go education/", vec!["go education/enrolments", "go education/api"]),
            ("resync edu", vec!["resync education/enrolments"]),
            ("resync health/births f", vec!["resync health/births full"]),
            ("feeds la", vec!["feeds late"]),
            ("nosuch x", vec![]),
        ] {
            assert_eq!(completions(&model, line), expected, "{line:?}");
        }
    }
}
