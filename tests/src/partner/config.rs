//! A partner's file for `partners.d`, made block by block: a test adds the keys that it is about.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;

use super::data::Dataset;

/// What the agencies of the simulation are called.
const NAMES: &[(&str, &str, &str)] = &[
    ("health", "Health authority", "هيئة الصحة"),
    ("education", "Education authority", "هيئة التعليم"),
    ("housing", "Housing department", "دائرة الإسكان"),
    ("social", "Social services department", "دائرة الخدمات الاجتماعية"),
    ("police", "Police", "الشرطة"),
    ("child-protection", "Child protection centre", "مركز حماية الطفل"),
    ("municipality", "Municipality", "البلدية"),
    ("employment", "Employment department", "دائرة التوظيف"),
];

/// The file and the secrets that it names.
#[derive(Clone, Debug)]
pub struct PartnerFile {
    partner: String,
    text: String,
    secrets: Vec<(String, String)>,
}

impl PartnerFile {
    /// A partner of that id, with nothing yet.
    pub fn new(partner: &str) -> Self {
        let named = NAMES.iter().find(|(id, ..)| *id == partner);
        let (_, en, ar) = named.copied().unwrap_or((partner, partner, "شريك"));
        let text =
            format!("[partner]\nid = \"{partner}\"\nname = {{ en = \"{en}\", ar = \"{ar}\" }}\n");
        Self { partner: partner.to_owned(), text, secrets: Vec::new() }
    }

    /// Begins a connection of that name, with `keys`.
    pub fn connection(&mut self, name: &str, keys: &str) -> &mut Self {
        let _ = write!(self.text, "\n[[connection]]\nid = \"{name}\"\n{keys}");
        self
    }

    /// Begins the feed of `dataset` over a connection: its id, its key and its fields.
    pub fn feed(&mut self, connection: &str, dataset: &Dataset) -> &mut Self {
        let (feed, key) = (dataset.feed, dataset.key_column());
        let _ = write!(
            self.text,
            "\n[[feed]]\nid = \"{feed}\"\nconnection = \"{connection}\"\nkey = [\"{key}\"]\n"
        );
        let fields: Vec<_> = dataset
            .columns
            .iter()
            .map(|column| {
                let (name, kind) = (column.name, column.kind);
                if column.sensitive {
                    format!("{name} = {{ type = \"{kind}\", sensitive = true }}")
                } else {
                    format!("{name} = \"{kind}\"")
                }
            })
            .collect();
        let _ = writeln!(self.text, "fields = {{ {} }}", fields.join(", "));
        self
    }

    /// Adds keys to the block begun last: whole lines of TOML.
    pub fn add(&mut self, keys: &str) -> &mut Self {
        self.text.push_str(keys);
        if !keys.ends_with('\n') {
            self.text.push('\n');
        }
        self
    }

    /// Adds a line to the connection, wherever the file has got to.
    pub fn to_connection(&mut self, line: &str) -> &mut Self {
        self.text = self.text.replacen("[[connection]]\n", &format!("[[connection]]\n{line}\n"), 1);
        self
    }

    /// Adds a line to the partner, wherever the file has got to.
    pub fn to_partner(&mut self, line: &str) -> &mut Self {
        self.text = self.text.replacen("[partner]\n", &format!("[partner]\n{line}\n"), 1);
        self
    }

    /// What `promise` says of its freshness.
    pub fn promise(&mut self, every: &str, grace: &str, error_after: &str) -> &mut Self {
        self.add(&format!(
            "freshness = {{ every = \"{every}\", grace = \"{grace}\", error_after = \"{error_after}\" }}"
        ))
    }

    /// Keeps a secret beside the file, for its owner alone.
    pub fn secret(&mut self, name: &str, value: &str) -> &mut Self {
        self.secrets.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes file and secrets into `folder`.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let file = folder.join(format!("{}.toml", self.partner));
        std::fs::write(&file, &self.text)
            .with_context(|| format!("cannot write {}", file.display()))?;
        for (name, value) in &self.secrets {
            let path = folder.join(name);
            let mut options = std::fs::OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            std::io::Write::write_all(&mut file, value.as_bytes())?;
        }
        Ok(())
    }
}
