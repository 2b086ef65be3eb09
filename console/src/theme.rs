//! Roles to colours. Sixteen colours at most, none under `NO_COLOR`; a symbol or a word always says the same.

use ratatui::style::{Color, Modifier, Style};

use crate::model::Weight;

/// What a piece of text is, as far as its looks go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    /// Frames, headings of columns, what is beside the point.
    Dim,
    Good,
    /// To be watched.
    Note,
    Warn,
    Bad,
    /// Names of blocks and screens.
    Title,
    /// A key to press.
    Key,
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    pub colour: bool,
    /// Frames of `+-|`, for terminals without line characters.
    pub ascii: bool,
}

impl Theme {
    pub const fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let (colour, modifier) = match tone {
            Tone::Plain => return plain,
            Tone::Dim => return plain.add_modifier(Modifier::DIM),
            Tone::Good => (Color::Green, Modifier::empty()),
            Tone::Note => (Color::Cyan, Modifier::empty()),
            Tone::Warn => (Color::Yellow, Modifier::empty()),
            Tone::Bad => (Color::LightRed, Modifier::BOLD),
            Tone::Title => return plain.add_modifier(Modifier::BOLD),
            Tone::Key => (Color::Cyan, Modifier::BOLD),
        };
        let plain = plain.add_modifier(modifier);
        if self.colour { plain.fg(colour) } else { plain }
    }

    /// The line under the cursor.
    pub const fn selected(self, tone: Tone) -> Style {
        self.style(tone).remove_modifier(Modifier::DIM).add_modifier(Modifier::REVERSED)
    }
}

impl From<Weight> for Tone {
    fn from(weight: Weight) -> Self {
        match weight {
            Weight::Calm => Self::Good,
            Weight::Blank => Self::Dim,
            Weight::Watch => Self::Note,
            Weight::Warn => Self::Warn,
            Weight::Grave => Self::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_no_role_has_one() {
        let mono = Theme { colour: false, ascii: false };
        for tone in [Tone::Good, Tone::Note, Tone::Warn, Tone::Bad, Tone::Key, Tone::Title] {
            assert_eq!(mono.style(tone).fg, None, "{tone:?}");
            assert_eq!(mono.selected(tone).bg, None, "{tone:?}");
        }
    }
}
