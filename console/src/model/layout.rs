//! Where things are: the same answer for `update`, which has to know how far a page goes, and for the views.

use ratatui::layout::Rect;

use super::{Link, Model, View};

/// From this width on, what is selected is shown beside the list and not below it.
pub const WIDE: u16 = 160;
/// From this height on, what is selected is shown below the list.
const TALL: u16 = 34;
/// Lines of a summary above its list, with its frame.
const SUMMARY: u16 = 7;
/// Lines of what is shown below the list, with its frame.
const PEEK: u16 = 9;

/// The bands of the screen, from the top; one that there is no room for is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bands {
    pub header: Rect,
    pub banner: Rect,
    pub body: Rect,
    /// Prompts, toasts, filters.
    pub line: Rect,
    pub footer: Rect,
}

/// The parts of the body where a list is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// What the place is about.
    pub summary: Rect,
    pub list: Rect,
    /// What is selected.
    pub peek: Rect,
}

/// Cuts the screen into its bands.
pub fn bands(model: &Model) -> Bands {
    let (width, height) = model.size;
    let away = matches!(model.link, Link::Away { .. });
    let wants = [
        height >= 2,         // header
        away && height >= 3, // banner
        height >= 4,         // line
        height >= 8,         // footer
    ];
    let [header, banner, line, footer] = wants.map(u16::from);
    let body = height - header - banner - line - footer;
    let mut y = 0;
    let mut band = |height: u16| {
        let rect = Rect::new(0, y, width, height);
        y += height;
        rect
    };
    Bands {
        header: band(header),
        banner: band(banner),
        body: band(body),
        line: band(line),
        footer: band(footer),
    }
}

/// Cuts a body into summary, list and what is selected.
pub fn parts(model: &Model) -> Parts {
    let body = bands(model).body;
    let nothing = Rect::new(body.x, body.y, 0, 0);
    let about = model.here().subject.is_some();
    if body.width >= WIDE {
        let left = body.width * 5 / 8;
        let right = Rect { x: body.x + left - 1, width: body.width - left + 1, ..body };
        let list = Rect { width: left, ..body };
        return if about {
            let half = body.height.min(SUMMARY + 5);
            let peek = Rect {
                y: (body.y + half).saturating_sub(1),
                height: body.height - half + 1,
                ..right
            };
            Parts { summary: Rect { height: half, ..right }, list, peek }
        } else {
            Parts { summary: nothing, list, peek: right }
        };
    }
    let summary = if about && body.height >= 14 { SUMMARY } else { 0 };
    let peek = if body.height >= TALL { PEEK } else { 0 };
    // Frames share their edges.
    let list_y = body.y + summary.saturating_sub(1);
    let list_height = (body.y + body.height) - list_y - peek.saturating_sub(1);
    Parts {
        summary: Rect { height: summary, ..body },
        list: Rect { y: list_y, height: list_height, ..body },
        peek: Rect { y: body.bottom() - peek, height: peek, ..body },
    }
}

/// How many rows of the list fit on the screen: its frame and its heading are no rows.
pub fn list_rows(model: &Model) -> usize {
    let height = match model.here().view {
        View::Overview => bands(model).body.height,
        _ => parts(model).list.height.saturating_sub(3),
    };
    usize::from(height).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Place, Subject, build};

    #[test]
    fn every_size_is_cut_without_a_gap() {
        let mut model = build::model().build();
        for (view, subject) in
            [(View::Feeds, None), (View::Runs, Some(Subject::Feed("a/b".parse().unwrap())))]
        {
            model.trail.jump(Place::new(view, subject));
            for width in [1, 39, 80, 120, 159, 160, 200] {
                for height in 1..61 {
                    model.size = (width, height);
                    let bands = bands(&model);
                    let all = [bands.header, bands.banner, bands.body, bands.line, bands.footer];
                    assert_eq!(all.iter().map(|band| band.height).sum::<u16>(), height);
                    assert!(bands.body.height > 0, "{width}x{height}");
                    let parts = parts(&model);
                    for part in [parts.summary, parts.list, parts.peek] {
                        assert_eq!(part.intersection(bands.body).area(), part.area());
                    }
                }
            }
        }
    }
}
