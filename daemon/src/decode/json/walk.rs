//! One walk over a JSON document: whatever is wanted at plain paths, records and single values alike, is taken on the way.

use std::io::BufRead;

use marsad_shared::feed::{RecordsPath, ScalarPath};
use serde::de::DeserializeSeed as _;

use super::{failure, lacking, nothing_at, scalar_of, scan::Scan};
use crate::decode::{DEPTH_MAX, DecodeError, Flow, Plan, Scalar, Standing, Text};
use held::At;

mod held;
mod stream;

/// Whoever takes records.
pub(super) type Each<'e> = dyn FnMut(Text<'_>, Standing) -> Flow + 'e;

/// What is wanted of a document, as the names that lead there.
#[derive(Debug, Default)]
pub(super) struct Tree<'p> {
    root: Node<'p>,
    /// Where the records are; `None`: not wanted here.
    records: Option<&'p [String]>,
}

/// What is wanted at one place, and below it.
#[derive(Debug, Default)]
struct Node<'p> {
    names: Vec<(&'p str, Node<'p>)>,
    /// A list of records stands here.
    list: Option<Standing>,
    /// The scalars that stand here.
    scalars: Vec<usize>,
}

/// What a walk to the end of a document found.
#[derive(Debug)]
pub(super) struct Walked {
    /// Each with its number in the plan.
    pub(super) scalars: Vec<(usize, Scalar)>,
    /// Whether the records were where they should be.
    pub(super) records: Result<(), DecodeError>,
}

impl<'p> Tree<'p> {
    /// All of `plan` that stands at plain paths.
    pub(super) fn of(plan: &Plan<'p>) -> Self {
        let mut tree = Self::default();
        if let Some(RecordsPath::Plain(names)) = plan.records {
            tree.root.at(names).list = Some(Standing::Here);
            tree.records = Some(names);
        }
        if let Some(RecordsPath::Plain(names)) = plan.deletes {
            tree.root.at(names).list = Some(Standing::Gone);
        }
        for (number, path) in plan.scalars.iter().enumerate() {
            if let ScalarPath::Plain(names) = path {
                tree.root.at(names).scalars.push(number);
            }
        }
        tree
    }

    /// As [`Self::of`], if nothing else is wanted of the document.
    pub(super) fn of_all(plan: &Plan<'p>) -> Option<Self> {
        let lists = [plan.records, plan.deletes].into_iter().flatten();
        let all = lists.clone().all(|path| matches!(path, RecordsPath::Plain(_)))
            && plan.scalars.iter().all(|path| !matches!(path, ScalarPath::Path(_)));
        all.then(|| Self::of(plan))
    }

    /// Walks through a document that is held: records are not copied.
    pub(super) fn slice(&self, text: &str, each: &mut Each<'_>) -> Result<Walked, DecodeError> {
        let mut json = serde_json::Deserializer::from_str(text);
        let mut walk = Walk::new(each);
        let root = At { node: &self.root, opened: false, walk: &mut walk };
        let end = root.deserialize(&mut json).and_then(|()| json.end());
        if let Err(error) = end {
            return Err(match walk.ended {
                Some(Ended::Stopped) => DecodeError::Stopped,
                Some(Ended::TooDeep) => {
                    DecodeError::TooDeep { levels: DEPTH_MAX, line: error.line() }
                }
                Some(Ended::Twice(name)) => twice(&name),
                None => failure(&error),
            });
        }
        Ok(self.walked(walk))
    }

    /// Walks through a document that streams by, or that is no text everywhere.
    pub(super) fn stream(
        &self,
        bytes: impl BufRead,
        each: &mut Each<'_>,
    ) -> Result<Walked, DecodeError> {
        let mut scan = Scan::new(bytes);
        let mut walk = Walk::new(each);
        self.root.scan(&mut scan, false, &mut walk)?;
        scan.end()?;
        Ok(self.walked(walk))
    }

    fn walked(&self, walk: Walk<'_, '_>) -> Walked {
        let path = || self.records.map(written).unwrap_or_default();
        let records = match walk.odd {
            Some(odd) => Err(DecodeError::Layout(format!(
                "there is {odd} at {} where a list of records belongs; see what the answer looks like and mend `records`",
                path()
            ))),
            None if self.records.is_some() && !walk.found => {
                Err(if walk.around { lacking(&path()) } else { nothing_at(&path()) })
            }
            None => Ok(()),
        };
        Walked { scalars: walk.scalars, records }
    }
}

/// The path to a list, as people write it.
fn written(names: &[String]) -> String {
    let plain = |name: &String| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let mut text = String::from("$");
    for name in names {
        if plain(name) {
            text.extend([".", name]);
        } else {
            text.extend(["['", name, "']"]);
        }
    }
    text.push_str("[*]");
    text
}

impl<'p> Node<'p> {
    /// The place of that name, with its number, if anything is wanted there.
    fn named(&self, name: &str) -> Option<(usize, &Self)> {
        let at = self.names.iter().position(|(wanted, _)| *wanted == name)?;
        self.names.get(at).map(|(_, node)| (at, node))
    }

    /// Whether the records are a member of what stands here.
    fn holds_records(&self) -> bool {
        self.names.iter().any(|(_, node)| node.list == Some(Standing::Here))
    }

    /// The place at the end of `names`, made if it is not there.
    fn at(&mut self, names: &'p [String]) -> &mut Self {
        let Some((name, rest)) = names.split_first() else { return self };
        let known = self.names.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or_else(|| {
            self.names.push((name, Self::default()));
            self.names.len() - 1
        });
        match self.names.get_mut(at) {
            Some((_, node)) => node.at(rest),
            None => unreachable!("it was found or made a moment ago"),
        }
    }
}

/// What was found so far, and who takes the records.
struct Walk<'w, 'e> {
    each: &'w mut Each<'e>,
    scalars: Vec<(usize, Scalar)>,
    found: bool,
    /// Whether the object was met that should hold the records.
    around: bool,
    /// What stands where a list of records belongs.
    odd: Option<&'static str>,
    /// Why it ended, where whoever reads the bytes cannot know.
    ended: Option<Ended>,
}

/// Why a walk ended.
enum Ended {
    Stopped,
    TooDeep,
    /// A name stands twice on the way to what is wanted.
    Twice(String),
}

impl<'w, 'e> Walk<'w, 'e> {
    fn new(each: &'w mut Each<'e>) -> Self {
        Self { each, scalars: Vec::new(), found: false, around: false, odd: None, ended: None }
    }

    /// Keeps a value that is wanted.
    fn keep(&mut self, node: &Node<'_>, text: &str) {
        for number in &node.scalars {
            self.scalars.push((*number, scalar_of(text)));
        }
    }
}

/// Which of a place's names were met, so that none is met twice.
struct Met(Vec<bool>);

impl Met {
    fn new(node: &Node<'_>) -> Self {
        Self(vec![false; node.names.len()])
    }

    /// Whether the name of that number was met before.
    fn again(&mut self, at: usize) -> bool {
        self.0.get_mut(at).is_some_and(|met| std::mem::replace(met, true))
    }
}

/// A name that stands twice where there must be no doubt which value is meant.
pub(super) fn twice(name: &str) -> DecodeError {
    DecodeError::Format(format!(
        "\"{}\" stands twice on the way to what is read there; which of the two is meant? have the partner mend it",
        marsad_shared::untrusted::show_at_most(name, 80)
    ))
}
