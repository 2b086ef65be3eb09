//! What a benchmark says: a line a contender, with medians; then the ratios, each beside its budget.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _};

use super::measure::Cost;

/// What was measured, contender by contender, and what is to be compared.
#[derive(Debug, Default)]
pub(crate) struct Report {
    title: String,
    order: Vec<String>,
    costs: BTreeMap<String, Vec<Cost>>,
    missing: Vec<String>,
    notes: Vec<String>,
}

/// Which figure of a [`Cost`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    Wall,
    Cpu,
    Peak,
}

impl Figure {
    const fn of(self, cost: &Cost) -> f64 {
        match self {
            Self::Wall => cost.wall_s,
            Self::Cpu => cost.cpu_s,
            Self::Peak => cost.peak_mib,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Wall => "wall",
            Self::Cpu => "CPU",
            Self::Peak => "peak memory",
        }
    }
}

impl Report {
    pub(crate) fn new(title: String) -> Self {
        Self { title, ..Self::default() }
    }

    /// Adds a measurement of `name`.
    pub(crate) fn add(&mut self, name: &str, cost: Cost) {
        if !self.costs.contains_key(name) {
            self.order.push(name.to_owned());
        }
        self.costs.entry(name.to_owned()).or_default().push(cost);
    }

    /// A peer that is not here, and how it would be.
    pub(crate) fn miss(&mut self, name: &str, how: &str) {
        let line = format!("{name}: not found; {how}");
        if !self.missing.contains(&line) {
            self.missing.push(line);
        }
    }

    /// A line of its own.
    pub(crate) fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    /// The median of a figure of `name`.
    pub(crate) fn median(&self, name: &str, figure: Figure) -> Option<f64> {
        let mut all: Vec<f64> = self.costs.get(name)?.iter().map(|cost| figure.of(cost)).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    /// Compares `ours` with a peer: their ratio, and whether it keeps the budget (at most `most`).
    pub(crate) fn compare(&mut self, ours: &str, peer: &str, figure: Figure, most: f64) {
        let (Some(a), Some(b)) = (self.median(ours, figure), self.median(peer, figure)) else {
            return;
        };
        let ratio = a / b;
        let kept = if ratio <= most { "kept" } else { "NOT KEPT" };
        let times =
            if ratio < 1.0 { format!(", {:.1} times less", 1.0 / ratio) } else { String::new() };
        self.note(format!(
            "{} of {ours} / {peer}: {ratio:.3}{times}; budget {most:.3}: {kept}",
            figure.word()
        ));
    }

    /// Holds a figure of ours against a bound of its own.
    pub(crate) fn bound(&mut self, ours: &str, figure: Figure, most: f64, unit: &str) {
        let Some(value) = self.median(ours, figure) else { return };
        let kept = if value <= most { "kept" } else { "NOT KEPT" };
        self.note(format!(
            "{} of {ours}: {value:.3} {unit}; budget {most} {unit}: {kept}",
            figure.word()
        ));
    }

    pub(crate) fn print(&self) -> std::io::Result<()> {
        let mut text = format!("{}\n", self.title);
        if !self.order.is_empty() {
            let _ = writeln!(
                text,
                "{:52} {:>9} {:>9} {:>10}  rounds",
                "contender", "wall s", "CPU s", "peak MiB"
            );
        }
        for name in &self.order {
            let figure = |figure| self.median(name, figure).unwrap_or_default();
            let rounds = self.costs.get(name).map_or(0, Vec::len);
            let (wall, cpu, peak) =
                (figure(Figure::Wall), figure(Figure::Cpu), figure(Figure::Peak));
            let _ = writeln!(text, "{name:52} {wall:9.3} {cpu:9.3} {peak:10.1}  {rounds}");
        }
        for line in self.notes.iter().chain(&self.missing) {
            let _ = writeln!(text, "{line}");
        }
        std::io::stdout().lock().write_all(text.as_bytes())
    }
}
