//! The inputs: what `bench/gen.py` wrote, or the like of it made here.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use marsad_tests::partner::random::{self, Random};

use super::Setting;

/// The columns of `records.csv`, as a feed has them.
pub(crate) const FIELDS: &str = "record_id = \"text\", agency = \"text\", case_ref = \"text\", title = \"text\", \
    subject_name = \"text\", subject_latin = \"text\", status = \"text\", priority = \"integer\", amount = \"decimal\", \
    opened_on = \"date\", updated_at = \"timestamp\", note = \"text\"";
/// The names of those columns.
pub(crate) const COLUMNS: [&str; 12] = [
    "record_id",
    "agency",
    "case_ref",
    "title",
    "subject_name",
    "subject_latin",
    "status",
    "priority",
    "amount",
    "opened_on",
    "updated_at",
    "note",
];
/// As many pages as a run may have, less the empty one behind them.
const PAGES_MAX: u64 = 99_999;
/// Rows of a page.
const PAGE: u64 = 1_000;

const KINDS: &[&str] = &["طلب", "بلاغ", "ملف", "تصريح", "إحالة", "قضية", "مراسلة", "شحنة"];
const STEPS: &[&str] = &["تجديد", "إصدار", "تحويل", "مراجعة", "استكمال", "تدقيق", "إغلاق", "متابعة"];
const THINGS: &[&str] =
    &["رخصة تجارية", "إقامة عمل", "تصريح بناء", "سجل صحي", "بيان جمركي", "عقد إيجار"];
const NAMES: &[&str] =
    &["محمد", "أحمد", "فاطمة", "خالد", "عائشة", "سعيد", "مريم", "يوسف", "نورة", "عبدالله"];
const FAMILIES: &[&str] =
    &["المنصوري", "الهاشمي", "الشامسي", "القحطاني", "الزهراني", "العتيبي", "الحربي", "الدوسري"];
const LATIN: &[&str] = &[
    "Mohammed Almansoori",
    "Fatima Alhashmi",
    "Khalid Alshamsi",
    "Noura Alqahtani",
    "Saeed Alharbi",
];
const STATUS: &[&str] = &["open", "pending", "in_review", "approved", "rejected", "closed"];
const NOTES: &[&str] = &[
    "وردت عبر القناة الآمنة",
    "بانتظار رد الجهة",
    "",
    "needs, review",
    "تم التحقق",
    "said \"ok\"",
    "",
];

/// The input's folder, and whatever has to live as long as it.
#[derive(Debug)]
pub(crate) struct Input {
    pub folder: PathBuf,
    pub rows: u64,
    _made: Option<tempfile::TempDir>,
}

impl Input {
    /// The folder that was named, or one made for now.
    pub(crate) fn of(setting: &Setting) -> anyhow::Result<Self> {
        if let Some(folder) = &setting.data {
            let csv = folder.join("records.csv");
            if !csv.exists() {
                bail!(
                    "{} is missing; make it with: python3 bench/gen.py {}",
                    csv.display(),
                    folder.display()
                );
            }
            let rows = count_lines(&csv)?.saturating_sub(1);
            return Ok(Self { folder: fs::canonicalize(folder)?, rows, _made: None });
        }
        let made = tempfile::Builder::new().prefix("marsad-input-").tempdir()?;
        make(made.path(), setting.rows).context("the input cannot be made")?;
        Ok(Self { folder: made.path().to_owned(), rows: setting.rows, _made: Some(made) })
    }

    pub(crate) fn csv(&self) -> PathBuf {
        self.folder.join("records.csv")
    }

    /// The second delivery: one row in a thousand is another.
    pub(crate) fn csv2(&self) -> PathBuf {
        self.folder.join("records2.csv")
    }

    /// A page of a thousand records, counted from 1.
    pub(crate) fn page(&self, number: u64) -> PathBuf {
        self.folder.join(format!("www/pages/{number}.json"))
    }

    /// How many pages there are.
    pub(crate) fn pages(&self) -> u64 {
        (1..=PAGES_MAX).take_while(|number| self.page(*number).exists()).last().unwrap_or_default()
    }
}

fn count_lines(file: &Path) -> anyhow::Result<u64> {
    use std::io::BufRead as _;
    let reader = std::io::BufReader::with_capacity(1 << 20, File::open(file)?);
    Ok(reader.split(b'\n').count() as u64)
}

fn make(folder: &Path, rows: u64) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("www/pages"))?;
    let mut files = ["records.csv", "records2.csv"]
        .map(|name| File::create(folder.join(name)).map(BufWriter::new));
    let [Ok(first), Ok(second)] = &mut files else {
        bail!("cannot write into {}", folder.display())
    };
    for file in [&mut *first, &mut *second] {
        writeln!(file, "{}", COLUMNS.join(","))?;
    }
    let mut page = Vec::new();
    for number in 0..rows {
        let mut row = row(number);
        writeln!(first, "{}", csv(&row))?;
        page.push(json(&row));
        if page.len() as u64 == PAGE || number + 1 == rows {
            let at = number / PAGE + 1;
            fs::write(
                folder.join(format!("www/pages/{at}.json")),
                format!("{{\"page\":{at},\"data\":[{}]}}", page.join(",")),
            )?;
            page.clear();
        }
        if number % 1_000 == 500
            && let [.., status, _, _, _, updated, _] = &mut row
        {
            "closed2".clone_into(status);
            "2026-11-01T00:00:00Z".clone_into(updated);
        }
        writeln!(second, "{}", csv(&row))?;
    }
    first.flush()?;
    Ok(second.flush()?)
}

fn row(number: u64) -> [String; 12] {
    let mut random = random::at(20_260_101, [number, 0, 0]);
    let agency = format!("AG{:02}", random.below(20));
    let two = |random: &mut Random, from: u64, end: u64| {
        format!("{:02}", from + random.below(end - from))
    };
    let day = |random: &mut Random| format!("{}-{}", two(random, 1, 13), two(random, 1, 29));
    [
        format!("{agency}-{number:09}"),
        agency,
        format!("{:016x}", random.next()),
        format!("{} {} {}", random.one(KINDS), random.one(STEPS), random.one(THINGS)),
        format!("{} {} {}", random.one(NAMES), random.one(NAMES), random.one(FAMILIES)),
        random.one(LATIN).to_owned(),
        random.one(STATUS).to_owned(),
        (1 + random.below(5)).to_string(),
        format!("{}.{:02}", random.below(100_000), random.below(100)),
        format!("20{}-{}", two(&mut random, 18, 26), day(&mut random)),
        format!(
            "2026-{}T{}:{}:{}Z",
            day(&mut random),
            two(&mut random, 0, 24),
            two(&mut random, 0, 60),
            two(&mut random, 0, 60)
        ),
        random.one(NOTES).to_owned(),
    ]
}

fn csv(row: &[String]) -> String {
    let cell = |text: &String| {
        if text.contains(['"', ',']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.clone()
        }
    };
    row.iter().map(cell).collect::<Vec<_>>().join(",")
}

fn json(row: &[String]) -> String {
    let field = |(name, text): (&&str, &String)| {
        let plain = matches!(*name, "priority" | "amount");
        let value =
            if plain { text.clone() } else { serde_json::Value::from(text.as_str()).to_string() };
        format!("\"{name}\":{value}")
    };
    format!("{{{}}}", COLUMNS.iter().zip(row).map(field).collect::<Vec<_>>().join(","))
}
