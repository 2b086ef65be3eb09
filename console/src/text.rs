//! Text on its way to a cell: outside text made safe, cut to its width, and numbers, times and ages as people read them.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use marsad_shared::untrusted;
use ratatui::{buffer::Buffer, style::Style};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::catalogue::Catalogue;

/// How many cells the text fills: each grapheme has cells of its own.
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// The text in at most `most` cells, the last a `…` if something was cut. Never halves a letter.
pub fn fit(text: &str, most: usize) -> String {
    let (mut used, mut kept) = (0, 0);
    for (at, cluster) in text.grapheme_indices(true) {
        used += cluster.width();
        if used > most {
            let mut cut = text.get(..kept).unwrap_or_default().to_owned();
            cut.push_str(if most == 0 { "" } else { "…" });
            return cut;
        }
        if used < most {
            kept = at + cluster.len(); // room for this and for the `…`
        }
    }
    text.to_owned()
}

/// Writes the text into at most `most` cells from `x`, and says how many it took. The only way by which text becomes
/// cells: what a terminal would obey is shown instead, whoever wrote it.
pub fn paint(buf: &mut Buffer, (x, y): (u16, u16), most: usize, text: &str, style: Style) -> u16 {
    let room = usize::from(buf.area.right().saturating_sub(x)).min(most);
    if y >= buf.area.bottom() || y < buf.area.top() || x < buf.area.left() || room == 0 {
        return 0;
    }
    let fitted = fit(&untrusted::show(text), room);
    let (end, _) = buf.set_stringn(x, y, fitted, room, style);
    end - x
}

/// [`paint`], ending in the last of the `most` cells.
pub fn paint_right(
    buf: &mut Buffer,
    (x, y): (u16, u16),
    most: usize,
    text: &str,
    style: Style,
) -> u16 {
    let used = width(&untrusted::show(text)).min(most);
    let skip = u16::try_from(most - used).unwrap_or(u16::MAX);
    paint(buf, (x.saturating_add(skip), y), used, text, style)
}

/// The text in lines of at most `most` cells, broken between words where that can be.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split_inclusive(char::is_whitespace) {
            if used + width(word.trim_end()) > most && used > 0 {
                lines.push(line.trim_end().to_owned());
                (line, used) = (String::new(), 0);
            }
            if used == 0 && word.trim().is_empty() {
                continue;
            }
            for cluster in word.graphemes(true) {
                if used + cluster.width() > most && used > 0 && !cluster.trim().is_empty() {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push_str(cluster);
                used += cluster.width();
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// What is wrong, without the address that a reason may begin with. For where there is little room: whose address it is
/// stands beside it, and the whole reason is a key away.
pub fn gist(reason: &str) -> &str {
    let behind = reason.split_once("://").and_then(|(_, rest)| rest.split_once(": "));
    match behind {
        Some((address, rest)) if !address.contains(char::is_whitespace) => rest,
        _ => reason,
    }
}

/// A size in bytes, in powers of 1000: `812 B`, `1.2 MB`.
pub fn bytes(n: u64) -> String {
    if n < 1000 {
        return format!("{n} B");
    }
    let (mut whole, mut rest, mut unit) = (n, 0, 0);
    for (at, _) in ["kB", "MB", "GB", "TB", "PB", "EB"].iter().enumerate() {
        if whole < 1000 {
            break;
        }
        (rest, whole, unit) = (whole % 1000 / 100, whole / 1000, at);
    }
    let unit = ["kB", "MB", "GB", "TB", "PB", "EB"].get(unit).unwrap_or(&"B");
    if whole < 100 { format!("{whole}.{rest} {unit}") } else { format!("{whole} {unit}") }
}

/// A span as short as it can be read: `41s`, `4m`, `2h10`, `3d`. Less than nothing is nothing.
pub fn span(catalogue: &Catalogue, seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let unit = |key, n: u64| catalogue.say_with(key, [("n", n.to_string().into())]);
    match (days, hours, minutes) {
        (0, 0, 0) => unit("unit-second", seconds),
        (0, 0, _) => unit("unit-minute", minutes),
        (0, _, _) if minutes % 60 == 0 => unit("unit-hour", hours),
        (0, _, _) => catalogue.say_with(
            "unit-hour-minute",
            [("h", hours.to_string().into()), ("m", format!("{:02}", minutes % 60).into())],
        ),
        _ => unit("unit-day", days),
    }
}

/// How long ago `then` was, as [`span`] says it.
pub fn age(catalogue: &Catalogue, now: Timestamp, then: Timestamp) -> String {
    span(catalogue, seconds_between(then, now))
}

/// Whole seconds from `then` to `now`; negative if `then` is yet to come.
pub fn seconds_between(then: Timestamp, now: Timestamp) -> i64 {
    let apart: SignedDuration = now.duration_since(then);
    apart.as_secs()
}

/// The time of day in `zone`, and the date with it where that is another day than `now`'s.
pub fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned_datetime(zone.clone()), now.to_zoned_datetime(zone.clone()));
    let pattern = if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    at.strftime(pattern).to_string()
}

/// The time of day and the zone's distance from UTC: `14:05:31 UTC+4`.
pub fn clock(now: Timestamp, zone: &TimeZone) -> String {
    let local = now.to_zoned_datetime(zone.clone());
    let minutes = local.offset().seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    let rest = if rest == 0 { String::new() } else { format!(":{rest:02}") };
    format!("{} UTC{sign}{hours}{rest}", local.strftime("%H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn a_text_is_cut_by_cell_and_says_so() {
        for (text, most, expected, why) in [
            ("abc", 3, "abc", "it fits"),
            ("abcd", 3, "ab…", "the mark of the cut counts"),
            ("abcd", 1, "…", "only the mark fits"),
            ("abcd", 0, "", "nothing fits"),
            ("家族表", 5, "家族…", "two cells a letter"),
            ("家族表", 4, "家…", "no half letters"),
            ("شَدَّة", 2, "شَ…", "a letter keeps its harakat"),
        ] {
            assert_eq!(fit(text, most), expected, "{why}");
            assert!(width(&fit(text, most)) <= most, "{why}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_never_becomes_a_cell() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 40, 1));
        paint(&mut buf, (0, 0), 40, "\u{1b}[2J\u{202e}x\u{200b}", Style::new());
        let line: String = buf.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(line.trim_end(), "\\u{1b}[2J\\u{202e}x\\u{200b}");
    }

    #[test]
    fn painting_stays_in_its_place() {
        let mut buf = Buffer::empty(Rect::new(2, 1, 6, 1));
        for at in [(0, 1), (8, 1), (2, 0), (2, 2), (60_000, 60_000)] {
            assert_eq!(paint(&mut buf, at, 9, "abc", Style::new()), 0, "{at:?} is outside");
        }
        assert_eq!(paint(&mut buf, (6, 1), 9, "abc", Style::new()), 2, "cut at the edge");
        assert_eq!(paint_right(&mut buf, (2, 1), 4, "ab", Style::new()), 2);
        let line: String = buf.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(line, "  aba…");
    }

    #[test]
    fn lines_break_between_words() {
        for (text, most, expected) in [
            ("one two three", 7, vec!["one two", "three"]),
            ("abcdefgh", 3, vec!["abc", "def", "gh"]),
            ("a\nb", 5, vec!["a", "b"]),
            ("", 5, vec![]),
            ("a b", 0, vec!["a", "b"]),
        ] {
            assert_eq!(wrap(text, most), expected, "{text:?} in {most}");
        }
    }

    #[test]
    fn the_gist_of_a_reason_begins_behind_its_address() {
        for (reason, expected) in [
            ("https://a.example/v1/x: connection refused; ask", "connection refused; ask"),
            ("page 1 of http://a.example:81/x: it is not JSON", "it is not JSON"),
            ("cannot reach http://a.example/x", "cannot reach http://a.example/x"),
            ("see http://a.example/x for more: or not", "see http://a.example/x for more: or not"),
            ("TLS handshake: certificate expired", "TLS handshake: certificate expired"),
            ("", ""),
        ] {
            assert_eq!(gist(reason), expected, "{reason:?}");
        }
    }

    #[test]
    fn sizes_and_spans_are_short() {
        for (n, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_234_567, "1.2 MB"),
            (123_456_789, "123 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(n), expected);
        }
        let catalogue = Catalogue::english();
        for (seconds, expected) in [
            (-5, "0s"),
            (41, "41s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (7800, "2h10"),
            (86_400 * 3 + 7200, "3d"),
        ] {
            assert_eq!(span(&catalogue, seconds), expected);
        }
    }

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let zone = TimeZone::get("Asia/Dubai").unwrap();
        let now: Timestamp = "2026-09-17T10:05:31Z".parse().unwrap();
        assert_eq!(moment(now, now, &zone), "14:05:31");
        assert_eq!(moment("2026-09-16T10:05:31Z".parse().unwrap(), now, &zone), "2026-09-16 14:05");
        assert_eq!(clock(now, &zone), "14:05:31 UTC+4");
        assert_eq!(clock(now, &TimeZone::get("Asia/Kolkata").unwrap()), "15:35:31 UTC+5:30");
    }
}
