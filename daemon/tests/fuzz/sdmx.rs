//! SDMX: one set of observations in each notation, whole, cut off and spoilt.

use std::fmt::Write as _;

use marsad_daemon::decode::{
    DecodeError, Flow, Standing,
    sdmx::{self, Key, Observed},
};

use crate::{Choices, TIME};

const DIMENSIONS: [&str; 3] = ["FREQ", "AREA", "TIME_PERIOD"];
const CODES: [[&str; 3]; 3] = [["A", "Q", "M"], ["SHJ", "KLB", "_T"], ["2025", "2026-Q1", "2026"]];
const STATUS: [&str; 2] = ["A", "M"];

/// An observation: a code of each dimension by its number, a value and a status where there is one.
#[derive(Clone, Debug)]
struct Told {
    codes: [usize; 3],
    value: Option<usize>,
    status: Option<usize>,
}

impl Told {
    fn code(&self, dimension: usize) -> &'static str {
        CODES[dimension][self.codes[dimension]]
    }
}

/// Observations of different keys.
fn told(choices: &mut Choices<'_>) -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    for _ in 0..choices.below(6) {
        let codes = [choices.below(3), choices.below(3), choices.below(3)];
        let value = choices.below(4).checked_sub(1);
        let status = choices.below(3).checked_sub(1);
        if all.iter().all(|other| other.codes != codes) {
            all.push(Told { codes, value, status });
        }
    }
    all
}

fn read(bytes: &[u8]) -> (Vec<String>, Result<(), DecodeError>) {
    let dimensions = DIMENSIONS.iter().map(|&id| vec![id.to_owned()]).collect();
    let key = Key { dimensions, others: Vec::new() };
    let mut found = Vec::new();
    let mut each = |observed: Observed<'_>| {
        if let Observed::Record { json, standing, .. } = observed {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            let part = |id: &str| match &value[id] {
                serde_json::Value::Null => "·".to_owned(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let ids = DIMENSIONS.iter().chain(&["OBS_VALUE", "OBS_STATUS"]);
            let parts: Vec<_> = ids.map(|id| part(id)).collect();
            let sign = if standing == Standing::Gone { "-" } else { "" };
            found.push(format!("{sign}{}", parts.join("|")));
        }
        Flow::More
    };
    let end = sdmx::page(bytes, b',', &key, &mut each);
    assert!(found.len() <= bytes.len(), "no more than there is");
    found.sort();
    (found, end)
}

fn csv(told: &[Told], labels: bool) -> String {
    let label = |id: &str| if labels { format!("{id}: \"\"x: y\"\"") } else { id.to_owned() };
    let cell = |text: String| if text.contains('"') { format!("\"{text}\"") } else { text };
    let mut text = String::from("STRUCTURE,STRUCTURE_ID,ACTION");
    for id in DIMENSIONS.iter().chain(&["OBS_VALUE", "OBS_STATUS"]) {
        write!(text, ",{}", cell(label(id))).unwrap();
    }
    for told in told {
        text.push_str("\ndataflow,A:B(1.0),I");
        for dimension in 0..3 {
            write!(text, ",{}", cell(label(told.code(dimension)))).unwrap();
        }
        let value = told.value.map_or("NaN".to_owned(), |value| value.to_string());
        let status = told.status.map(|status| label(STATUS[status])).unwrap_or_default();
        write!(text, ",{value},{}", cell(status)).unwrap();
    }
    text
}

fn json(told: &[Told], series: bool) -> String {
    let values = |codes: &[&str]| {
        let ids: Vec<_> = codes.iter().map(|id| format!("{{\"id\":\"{id}\"}}")).collect();
        ids.join(",")
    };
    let component = |at: usize| {
        format!("{{\"id\":\"{}\",\"values\":[{}]}}", DIMENSIONS[at], values(&CODES[at]))
    };
    let number = |n: Option<usize>| n.map_or("null".to_owned(), |n| n.to_string());
    let observation = |told: &Told| format!("[{},{}]", number(told.value), number(told.status));
    let (levels, data) = if series {
        let all: Vec<_> = told
            .iter()
            .map(|told| {
                let [a, b, c] = told.codes;
                format!("\"{a}:{b}\":{{\"observations\":{{\"{c}\":{}}}}}", observation(told))
            })
            .collect();
        let levels = format!(
            "\"series\":[{},{}],\"observation\":[{}]",
            component(0),
            component(1),
            component(2)
        );
        (levels, format!("\"series\":{{{}}}", all.join(",")))
    } else {
        let all: Vec<_> = told
            .iter()
            .map(|told| {
                let [a, b, c] = told.codes;
                format!("\"{a}:{b}:{c}\":{}", observation(told))
            })
            .collect();
        let levels =
            format!("\"observation\":[{},{},{}]", component(0), component(1), component(2));
        (levels, format!("\"observations\":{{{}}}", all.join(",")))
    };
    format!(
        "{{\"meta\":{{}},\"data\":{{\"dataSets\":[{{\"action\":\"Replace\",{data}}}],\"structures\":[{{\"dimensions\":{{{levels}}},\"attributes\":{{\"observation\":[{{\"id\":\"OBS_STATUS\",\"values\":[{}]}}]}}}}]}}}}",
        values(&STATUS)
    )
}

fn ml(told: &[Told], specific: bool) -> String {
    let mut text = String::from("<?xml version=\"1.0\"?>\n");
    let name = if specific { "StructureSpecificData" } else { "GenericData" };
    write!(text, "<m:{name} xmlns:m=\"urn:m\"><m:Header/><m:DataSet action=\"Merge\">").unwrap();
    for told in told {
        let value = told.value.map_or("NaN".to_owned(), |value| value.to_string());
        let status = told.status.map(|status| STATUS[status]);
        if specific {
            text.push_str("<Obs");
            for (at, id) in DIMENSIONS.iter().enumerate() {
                write!(text, " {id}=\"{}\"", told.code(at)).unwrap();
            }
            write!(text, " OBS_VALUE=\"{value}\"").unwrap();
            if let Some(status) = status {
                write!(text, " OBS_STATUS='{status}'").unwrap();
            }
            text.push_str("/>");
            continue;
        }
        text.push_str("<g:Obs xmlns:g=\"urn:g\"><g:ObsKey>");
        for (at, id) in DIMENSIONS.iter().enumerate() {
            write!(text, "<g:Value id=\"{id}\" value=\"{}\"/>", told.code(at)).unwrap();
        }
        write!(text, "</g:ObsKey><g:ObsValue value=\"{value}\"/>").unwrap();
        if let Some(status) = status {
            write!(
                text,
                "<g:Attributes><g:Value id=\"OBS_STATUS\" value=\"{status}\"/></g:Attributes>"
            )
            .unwrap();
        }
        text.push_str("</g:Obs>");
    }
    write!(text, "</m:DataSet></m:{name}>").unwrap();
    text
}

#[test]
fn whatever_comes_is_survived() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let (_, end) = read(bytes);
        assert!(end.is_err() || !bytes.is_empty(), "nothing at all is no message");
    });
}

#[test]
fn the_same_is_read_in_every_notation_and_what_is_cut_off_is_not_whole() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let told = told(&mut choices);
        let text = |n: Option<String>| n.unwrap_or_else(|| "·".to_owned());
        let mut expected: Vec<_> = told
            .iter()
            .map(|told| {
                let value = text(told.value.map(|value| value.to_string()));
                let status = text(told.status.map(|status| STATUS[status].to_owned()));
                format!("{}|{}|{}|{value}|{status}", told.code(0), told.code(1), told.code(2))
            })
            .collect();
        expected.sort();
        let unique = |told: &Told| {
            let [a, b, _] = told.codes;
            move |other: &&Told| other.codes[..2] == [a, b]
        };
        // A series stands once in an object.
        let series = told.iter().all(|one| told.iter().filter(unique(one)).count() == 1);
        let mut documents = vec![csv(&told, false), csv(&told, true), json(&told, false)];
        if series {
            documents.push(json(&told, true));
        }
        documents.extend([ml(&told, false), ml(&told, true)]);
        for document in documents {
            let (found, end) = read(document.as_bytes());
            end.unwrap_or_else(|error| panic!("{document}: {error}"));
            assert_eq!(found, expected, "{document}");
            let cut = choices.place(document.len());
            let (found, end) = read(document.as_bytes().get(..cut).unwrap());
            assert!(found.len() <= expected.len(), "{cut} of {document}");
            if !document.starts_with("STRUCTURE") {
                assert!(end.is_err(), "{cut} of {document}");
            }
            drop(read(&choices.spoilt(&document)));
        }
    });
}
