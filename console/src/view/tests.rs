use marsad_shared::{exchange::State, run::Outcome};
use ratatui::{buffer::Buffer, layout::Rect};

use super::*;
use crate::{
    keys::Action,
    message::Message,
    model::{Link, Subject, build},
    update::update,
};

/// The screen as lines of text.
fn text_of(buf: &Buffer) -> String {
    let lines = buf.content.chunks(usize::from(buf.area.width.max(1)));
    let line = |cells: &[ratatui::buffer::Cell]| {
        let text: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    };
    lines.map(line).collect::<Vec<_>>().join("\n")
}

fn screen(model: &Model) -> Buffer {
    let area = Rect::new(0, 0, model.size.0, model.size.1);
    let mut buf = Buffer::empty(area);
    draw(model, area, &mut buf);
    buf
}

#[test]
fn preview() {
    for (w, h) in [(80, 24), (120, 40), (200, 60)] {
        let mut model = build::usual().size(w, h).build();
        println!("{}\n=====", text_of(&screen(&model)));
        update(&mut model, Message::Do(Action::Go(View::Feeds)));
        println!("{}\n=====", text_of(&screen(&model)));
        update(&mut model, Message::Do(Action::Open));
        let rows = [4821, 4820, 4819].map(|n| {
            Row::Run(
                build::run(
                    n,
                    "education/enrolments",
                    if n == 4821 { Outcome::Failed } else { Outcome::Unchanged },
                )
                .into(),
            )
        });
        let f = model.fetch().unwrap();
        update(&mut model, Message::Page(f.ticket, Ok(rows.to_vec())));
        println!("{}\n=====", text_of(&screen(&model)));
        update(&mut model, Message::Do(Action::Help));
        println!("{}\n=====", text_of(&screen(&model)));
    }
    let _ = (State::Pending, Link::Live, Subject::Feed("a/b".parse().unwrap()));
}
