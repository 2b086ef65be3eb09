//! Selectors: text that people write into a partner's file.

use marsad_shared::feed::{RecordsPath, ScalarPath, XmlPath};
use serde_json_path::JsonPath;

use crate::{Choices, TIME};

#[test]
fn a_path_is_read_or_refused_with_the_place_of_the_mistake() {
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let parts = [
            "$", ".", "..", "a", "قيد", "[", "]", "*", "'", "\"", "@", "/", "=", " ", "0", "\\",
            ":", "['a']", "[@b='c']", "[*]", "\u{300}",
        ];
        let text: String = (0..choices.below(12)).map(|_| *choices.one(&parts)).collect();
        let characters = text.chars().count();
        if let Err(error) = ScalarPath::parse(&text) {
            assert!((1..=characters + 1).contains(&error.character), "{text:?} {error}");
        }
        if let Ok(ScalarPath::Plain(_)) = ScalarPath::parse(&text) {
            assert!(JsonPath::parse(&text).is_ok(), "{text:?} is followed, and is no path");
        }
        if let Ok(RecordsPath::Plain(_)) = RecordsPath::json(&text) {
            assert!(JsonPath::parse(&text).is_ok(), "{text:?} is followed, and is no path");
        }
        if let Ok(path) = XmlPath::parse(&text) {
            assert_eq!(XmlPath::parse(&path.text()), Ok(path), "{text:?}");
        }
    });
}
