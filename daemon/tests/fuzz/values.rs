//! Values of columns: whatever stands there, it is refused or kept in a form that is taken again as the same.

use std::sync::LazyLock;

use marsad_daemon::{decode::Standing, shape::Shaper};
use marsad_shared::{
    bound::Pattern,
    feed::Feed,
    fold::{fold, halves},
    hijri::{HijriDate, HijriFormat},
    period::Period,
    phone::{self, Region},
    record::{Batch, Layout},
};
use serde_json::json;

use crate::{Choices, TIME, reading};

/// Text of such parts, and now and then of any character.
fn text(bytes: &[u8], parts: &[&str]) -> String {
    let mut choices = Choices::new(bytes);
    let mut text = String::new();
    for _ in 0..choices.below(14) {
        match choices.below(12) {
            0 => {
                let code = choices.place(0x11_0000) * 17 % 0x11_0000;
                text.extend(u32::try_from(code).ok().and_then(char::from_u32));
            }
            _ => text.push_str(choices.one::<&str>(parts)),
        }
    }
    text
}

#[test]
fn a_period_is_some_days_or_none() {
    let parts = [
        "2026", "2028", "0001", "9999", "-", "A1", "S2", "T3", "Q4", "M", "W", "D", "01", "12",
        "29", "31", "53", "366", "0", "7", "+", "٢", "/", "T00:00",
    ];
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let text = text(bytes, &parts);
        if let Ok(period) = text.parse::<Period>() {
            assert!(period.first <= period.last, "{text}");
            let days = period.last.duration_since(period.first).as_hours() / 24 + 1;
            assert!((1..=366).contains(&days), "{text} has {days} days");
            assert!(text.is_ascii() && text.len() <= 10, "{text}");
        }
    });
}

#[test]
fn a_hijri_day_is_read_again_as_it_is_stored() {
    let parts = [
        "1447", "1300", "1600", "-", "/", " ", "01", "1", "12", "30", "29", "0", "9", "هـ", "٩",
        "%", "+",
    ];
    let formats = ["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", "%d %m %Y هـ", "%Y/%e/%m"];
    let formats: Vec<HijriFormat> = formats.iter().map(|format| format.parse().unwrap()).collect();
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let text = text(bytes, &parts);
        let stored = text.parse::<HijriDate>().ok();
        assert!(stored.is_none_or(|day| day.to_string() == text), "{text}");
        let read = formats.iter().filter_map(|format| HijriDate::parse(&text, format).ok());
        for day in read.chain(stored) {
            assert_eq!(day.to_string().parse(), Ok(day), "{text}");
        }
        // A format is whatever somebody writes into a partner's file.
        let _ = text.parse::<HijriFormat>();
    });
}

#[test]
fn a_telephone_number_is_taken_again_as_it_is_stored() {
    let parts = [
        "+", "971", "00", "050", "50", "06", "800", "600", "1234567", "123", "44", "1", "0", " ",
        "-", "(", ")", ".", ";ext=", "tel:", "x", ",", "٠٥٠",
    ];
    let regions = ["AE", "SA", "US", "GB", "IN"].map(|name| name.parse::<Region>().unwrap());
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let text = text(bytes, &parts);
        for region in regions {
            if let Some(number) = phone::e164(&text, region) {
                let digits = number.strip_prefix('+').unwrap_or_default();
                assert!((7..=15).contains(&digits.len()), "{text}: {number}");
                assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{text}: {number}");
                assert_eq!(phone::e164(&number, region).as_ref(), Some(&number), "{text}");
            }
        }
    });
}

/// A feed with a decimal point, and one with a comma, each with what makes rows of its records.
static NUMBERS: LazyLock<[(Feed, Shaper); 2]> = LazyLock::new(|| {
    [".", ","].map(|sign| {
        let feed = reading::feed(&format!(
            "decimal = \"{sign}\"\nkey = [\"id\"]\nfields = {{ id = \"text\", n = \"integer\", d = \"decimal\" }}"
        ));
        let layout = Layout::new(feed.fields.clone(), &feed.key).unwrap();
        let shaper = Shaper::new(&feed, layout, Vec::new());
        (feed, shaper)
    })
});

/// What becomes of text as a whole number and as a decimal one.
fn number(shaper: &Shaper, column: &str, text: &str) -> Option<String> {
    let mut batch = Batch::new(&shaper.layout, 7);
    let record = json!({ "id": "a", column: text }).to_string();
    shaper.json(&record, Standing::Here, &mut batch, &mut shaper.beside()).ok()?;
    reading::lines(&batch)
        .concat()
        .split('|')
        .nth(if column == "n" { 1 } else { 2 })
        .map(str::to_owned)
}

#[test]
fn a_number_is_taken_again_as_it_is_stored() {
    let parts = [
        "1",
        "12",
        "123",
        "000",
        "0",
        "9223372036854775807",
        "-",
        "+",
        ".",
        ",",
        " ",
        "\u{a0}",
        "e",
        "E-2",
        "\u{66b}",
        "\u{66c}",
        "٣",
        "۴",
        "_",
        "x",
    ];
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let text = text(bytes, &parts);
        for (_, shaper) in NUMBERS.iter() {
            for column in ["n", "d"] {
                let Some(stored) = number(shaper, column, &text) else { continue };
                let plain = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
                assert!(stored == "·" || stored.chars().all(plain), "{text}: {stored}");
                // As it is stored there is a point in it.
                let (_, point) = &NUMBERS[0];
                assert_eq!(number(point, column, &stored.replace('·', "")), Some(stored), "{text}");
            }
        }
    });
}

#[test]
fn text_folds_to_what_folds_no_further() {
    let parts = [
        "أ", "ا", "ى", "ة", "ك", "ـ", "\u{64e}", "\u{654}", "\u{200f}", "ﷲ", "ﻣ", "A", "İ", "é",
        "e\u{301}", " ", "\u{a0}", "/", " / ", "(", ")", "-", "|", "٣",
    ];
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let text = text(bytes, &parts);
        let folded = fold(&text);
        assert_eq!(fold(&folded), folded, "{text:?}");
        if let Some((one, other)) = halves(&text) {
            assert!(text.contains(one) && text.contains(other), "{text:?}");
            assert!(!one.is_empty() && !other.is_empty(), "{text:?}");
        }
    });
}

#[test]
fn a_pattern_is_read_or_refused() {
    let parts = [
        "a",
        "[",
        "]",
        "(",
        ")",
        "{9}",
        "{999}",
        "*",
        "+",
        "\\d",
        "\\p{Arabic}",
        "|",
        "(?i)",
        "(?x)#",
        "^",
        "$",
        "ة",
    ];
    bolero::check!().with_test_time(TIME).for_each(|bytes: &[u8]| {
        let text = text(bytes, &parts);
        if let Ok(pattern) = text.parse::<Pattern>() {
            pattern.fits(&text);
        }
    });
}
